// SPDX-License-Identifier: Apache-2.0
#include "fault/values.hpp"

namespace cudafault {

namespace {

int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool parse_hex(Text text, uint32_t& out) {
    if (text.empty() || text.size > 8) return false;
    out = 0;
    for (size_t i = 0; i < text.size; ++i) {
        const int digit = hex_digit(text[i]);
        if (digit < 0) return false;
        out = out << 4 | static_cast<uint32_t>(digit);
    }
    return true;
}

Text slice(Text text, size_t start, size_t count) { return text.from(start).first(count); }

size_t count_digits(Text text) {
    size_t count = 0;
    while (count < text.size && is_digit(text[count])) ++count;
    return count;
}

// Durations

struct Unit {
    char name[3];
    uint64_t ns;
};
constexpr Unit kUnits[] = {{"us", 1'000},         {"ms", 1'000'000},        {"s", 1'000'000'000},
                           {"m", 60'000'000'000}, {"h", 3'600'000'000'000}, {"d", 86'400'000'000'000}};

const Unit* find_unit(Text name) {
    for (const Unit& unit : kUnits) {
        if (name == Text(unit.name)) return &unit;
    }
    return nullptr;
}

// Converts the digits after a decimal point to nanoseconds. The division is exact for the first digits, because every
// unit is a multiple of a large power of ten.
uint64_t fraction_of(const Unit& unit, Text digits) {
    uint64_t ns = 0, place = unit.ns;
    for (size_t i = 0; i < digits.size; ++i) ns += (place /= 10) * static_cast<uint64_t>(digits[i] - '0');
    return ns;
}

// Dates

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint64_t kFirstYear = 1970, kLastYear = 2500;  // a 64-bit number of nanoseconds overflows in 2554

bool is_leap(uint64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

uint64_t days_in_month(uint64_t year, uint64_t month) {
    if (month == 2) return is_leap(year) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

uint64_t days_since_epoch(uint64_t year, uint64_t month, uint64_t day) {
    uint64_t days = day - 1;
    for (uint64_t y = kFirstYear; y < year; ++y) days += is_leap(y) ? 366 : 365;
    for (uint64_t m = 1; m < month; ++m) days += days_in_month(year, m);
    return days;
}

// Returns true if the text has a digit wherever `form` has 9, and the same character as `form` elsewhere.
bool has_form(Text text, Text form) {
    if (text.size != form.size) return false;
    for (size_t i = 0; i < form.size; ++i) {
        if (form[i] == '9' ? !is_digit(text[i]) : text[i] != form[i]) return false;
    }
    return true;
}

uint64_t number_at(Text text, size_t start, size_t count) {
    uint64_t value = 0;
    parse_number(slice(text, start, count), value);
    return value;
}

// Parses a fraction of a second such as ".25" as nanoseconds; an empty text is 0.
bool parse_fraction(Text text, uint64_t& ns) {
    ns = 0;
    if (text.empty()) return true;
    const size_t digits = text.size - 1;
    if (text[0] != '.' || digits == 0 || digits > 9 || count_digits(text.from(1)) != digits) return false;
    ns = number_at(text, 1, digits);
    for (size_t i = digits; i < 9; ++i) ns *= 10;
    return true;
}

// Returns the position of the time zone in an RFC 3339 time: the position of "Z", or of the sign in "+01:00". Returns 0
// if the text has no time zone.
size_t zone_start(Text text) {
    constexpr size_t kOffset = 6;
    if (text[text.size - 1] == 'Z') return text.size - 1;
    if (text.size < kOffset) return 0;
    const size_t at = text.size - kOffset;
    return text[at] == '+' || text[at] == '-' ? at : 0;
}

bool parse_zone(Text zone, int64_t& offset_seconds) {
    offset_seconds = 0;
    if (zone == Text("Z")) return true;
    if (!has_form(zone.from(1), "99:99")) return false;
    const uint64_t hours = number_at(zone, 1, 2), minutes = number_at(zone, 4, 2);
    if (hours > 23 || minutes > 59) return false;
    const auto seconds = static_cast<int64_t>((hours * 60 + minutes) * 60);
    offset_seconds = zone[0] == '-' ? -seconds : seconds;
    return true;
}

// Probabilities

// The number of digits kept after the decimal point. A multiple of 2^-64 has at most 64, so the result is exact.
constexpr int kFractionDigits = 96;

struct Decimal {
    uint8_t digits[kFractionDigits];
    bool is_one;
};

// The parts of a text such as 1.5e-3. place_digits() then computes the value.
struct DecimalText {
    Text digits;       // "1.5"
    size_t point;      // number of digits before the point
    int64_t exponent;  // the number after e
};

bool split_decimal(Text text, DecimalText& out) {
    const size_t whole = count_digits(text);
    size_t end = whole;
    size_t fraction = 0;
    if (end < text.size && text[end] == '.') {
        fraction = count_digits(text.from(end + 1));
        if (fraction == 0) return false;
        end += 1 + fraction;
    }
    if (whole + fraction == 0) return false;
    out.digits = text.first(end);
    out.point = whole;
    out.exponent = 0;
    if (end == text.size) return true;
    if ((text[end] | 0x20) != 'e') return false;
    Text power = text.from(end + 1);
    const bool negative = !power.empty() && power[0] == '-';
    if (!power.empty() && (power[0] == '-' || power[0] == '+')) power = power.from(1);
    uint64_t value = 0;
    if (!parse_number(power, value) || value > 9999) return false;
    out.exponent = negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
    return true;
}

// Writes the digits of the number to `out`. Returns out_of_range if the number is 0 or above 1, and too_fine if it has
// more than kFractionDigits digits after the point.
ProbabilityResult place_digits(const DecimalText& text, Decimal& out) {
    out = Decimal{};
    bool nonzero = false, beyond_one = false, lost = false;
    int64_t place = -static_cast<int64_t>(text.point) - text.exponent;  // 0 is the first digit after the point
    for (size_t i = 0; i < text.digits.size; ++i) {
        if (text.digits[i] == '.') continue;
        const auto digit = static_cast<uint8_t>(text.digits[i] - '0');
        const int64_t at = place++;
        if (digit == 0) continue;
        if (at < -1 || (at == -1 && digit > 1) || out.is_one) beyond_one = true;
        if (at == -1) out.is_one = true;
        if (at >= 0 && at < kFractionDigits) out.digits[at] = digit;
        lost |= at >= kFractionDigits;
        nonzero = true;
    }
    if (!nonzero || beyond_one) return ProbabilityResult::out_of_range;
    return lost && !out.is_one ? ProbabilityResult::too_fine : ProbabilityResult::ok;
}

// Converts a decimal fraction to binary: the carry out of each doubling is the next binary digit.
uint64_t first_64_bits(Decimal& value) {
    uint64_t bits = 0;
    for (int bit = 0; bit < 64; ++bit) {
        uint8_t carry = 0;
        for (int i = kFractionDigits - 1; i >= 0; --i) {
            const auto doubled = static_cast<uint8_t>(value.digits[i] * 2 + carry);
            value.digits[i] = static_cast<uint8_t>(doubled % 10);
            carry = doubled / 10;
        }
        bits = bits << 1 | carry;
    }
    return bits;
}

// GPUs

constexpr uint64_t kMaxGpuIndex = 255;

// Parses a number such as 3 or a range such as 0-3.
bool parse_ordinals(Text text, GpuKind kind, GpuSelector& out) {
    uint64_t first = 0, last = 0;
    if (!parse_range(text, first, last) || last > kMaxGpuIndex) return false;
    out.kind = kind;
    out.number = static_cast<uint32_t>(first);
    out.last = static_cast<uint32_t>(last);
    return true;
}

// Parses a UUID or its first digits, at least one, as CUDA_VISIBLE_DEVICES does.
bool parse_uuid(Text text, GpuSelector& out) {
    constexpr size_t kLength = 36;
    if (text.size > kLength) return false;
    for (size_t i = 0; i < text.size; ++i) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-') return false;
            continue;
        }
        const int digit = hex_digit(text[i]);
        if (digit < 0) return false;
        const bool is_high = out.uuid_digits % 2 == 0;
        out.uuid[out.uuid_digits++ / 2] |= static_cast<uint8_t>(is_high ? digit << 4 : digit);
    }
    out.kind = GpuKind::uuid;
    return out.uuid_digits > 0;
}

// Parses a PCI id such as 0000:65:00.0. The domain may have eight digits, as in NVML, and the function may be missing,
// as in the kernel log.
bool parse_pci(Text text, GpuSelector& out) {
    const size_t domain_digits = text.size >= 9 && text[8] == ':' ? 8 : 4;
    if (text.size < domain_digits + 6) return false;
    const Text rest = text.from(domain_digits);
    const bool with_function = rest.size == 8 && rest[6] == '.' && rest[7] == '0';
    if (rest[0] != ':' || rest[3] != ':' || (rest.size != 6 && !with_function)) return false;
    uint32_t domain = 0, bus = 0, device = 0;
    if (!parse_hex(text.first(domain_digits), domain) || !parse_hex(slice(rest, 1, 2), bus) ||
        !parse_hex(slice(rest, 4, 2), device)) {
        return false;
    }
    if (domain > 0xffff || device > 0x1f) return false;
    out.kind = GpuKind::pci;
    out.number = domain << 16 | bus << 8 | device;
    return true;
}

// Signals. The numbers are the same on x86-64 and aarch64 Linux.

struct SignalName {
    char name[8];
    uint8_t number;
};
constexpr SignalName kSignals[] = {{"HUP", 1},   {"INT", 2},   {"QUIT", 3},  {"ILL", 4},   {"TRAP", 5},  {"ABRT", 6},
                                   {"BUS", 7},   {"FPE", 8},   {"KILL", 9},  {"USR1", 10}, {"SEGV", 11}, {"USR2", 12},
                                   {"PIPE", 13}, {"ALRM", 14}, {"TERM", 15}, {"CONT", 18}, {"STOP", 19}, {"TSTP", 20},
                                   {"TTIN", 21}, {"TTOU", 22}, {"XCPU", 24}, {"XFSZ", 25}, {"PROF", 27}, {"SYS", 31}};
constexpr uint64_t kLastSignal = 64;

}  // namespace

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool parse_number(Text text, uint64_t& out) {
    if (text.empty()) return false;
    out = 0;
    for (size_t i = 0; i < text.size; ++i) {
        if (!is_digit(text[i])) return false;
        const auto digit = static_cast<uint64_t>(text[i] - '0');
        if (out > (UINT64_MAX - digit) / 10) return false;
        out = out * 10 + digit;
    }
    return true;
}

bool parse_range(Text text, uint64_t& first, uint64_t& last) {
    const size_t digits = count_digits(text);
    if (!parse_number(text.first(digits), first)) return false;
    last = first;
    if (digits == text.size) return true;
    return text[digits] == '-' && parse_number(text.from(digits + 1), last) && first <= last;
}

bool parse_duration(Text text, uint64_t& out_ns, BareNumber bare) {
    const size_t digits = count_digits(text);
    uint64_t number = 0;
    if (!parse_number(text.first(digits), number)) return false;
    Text fraction, rest = text.from(digits);
    if (!rest.empty() && rest[0] == '.') {
        fraction = rest.from(1).first(count_digits(rest.from(1)));
        if (fraction.empty()) return false;
        rest = rest.from(1 + fraction.size);
    }
    const Unit* unit = find_unit(rest.empty() && bare == BareNumber::seconds ? Text("s") : rest);
    if (!unit || number > (UINT64_MAX - 1) / unit->ns) return false;
    out_ns = number * unit->ns;
    const uint64_t part = fraction_of(*unit, fraction);
    if (part > UINT64_MAX - 1 - out_ns) return false;
    out_ns += part;
    return true;
}

bool parse_timestamp(Text text, uint64_t& out_ns) {
    constexpr size_t kSeconds = 19;  // length of the part before the fraction
    if (text.size <= kSeconds || !has_form(text.first(kSeconds), "9999-99-99T99:99:99")) return false;
    const size_t zone = zone_start(text);
    int64_t offset = 0;
    uint64_t fraction_ns = 0;
    if (zone < kSeconds || !parse_zone(text.from(zone), offset)) return false;
    if (!parse_fraction(slice(text, kSeconds, zone - kSeconds), fraction_ns)) return false;
    const uint64_t year = number_at(text, 0, 4), month = number_at(text, 5, 2), day = number_at(text, 8, 2);
    const uint64_t hour = number_at(text, 11, 2), minute = number_at(text, 14, 2), second = number_at(text, 17, 2);
    if (year < kFirstYear || year > kLastYear || month < 1 || month > 12) return false;
    if (day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59) return false;
    const uint64_t local = ((days_since_epoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    const int64_t seconds = static_cast<int64_t>(local) - offset;
    if (seconds < 0) return false;
    out_ns = static_cast<uint64_t>(seconds) * kNsPerSecond + fraction_ns;
    return true;
}

ProbabilityResult parse_probability(Text text, uint64_t& out) {
    DecimalText parts{};
    const bool percent = !text.empty() && text[text.size - 1] == '%';
    if (!split_decimal(percent ? text.first(text.size - 1) : text, parts)) return ProbabilityResult::malformed;
    if (percent) parts.exponent -= 2;
    Decimal value;
    const ProbabilityResult placed = place_digits(parts, value);
    if (placed != ProbabilityResult::ok) return placed;
    out = value.is_one ? kAlways : first_64_bits(value);
    return out == 0 ? ProbabilityResult::too_fine : ProbabilityResult::ok;
}

bool parse_gpu(Text text, GpuSelector& out) {
    out = GpuSelector{};
    if (starts_with(text, "local:")) return parse_ordinals(text.from(6), GpuKind::local, out);
    out.is_mig = starts_with(text, "MIG-") ? 1 : 0;
    if (out.is_mig || starts_with(text, "GPU-")) return parse_uuid(text.from(4), out);
    return parse_ordinals(text, GpuKind::index, out) || parse_pci(text, out);
}

int signal_name_count() { return sizeof kSignals / sizeof *kSignals; }
const char* signal_name(int index) { return kSignals[index].name; }

bool parse_signal(Text text, uint64_t& number) {
    if (parse_number(text, number)) return number >= 1 && number <= kLastSignal;
    const Text name = starts_with(text, "SIG") ? text.from(3) : text;
    for (const SignalName& signal : kSignals) {
        if (name == Text(signal.name)) {
            number = signal.number;
            return true;
        }
    }
    return false;
}

}  // namespace cudafault
