// SPDX-License-Identifier: Apache-2.0
// The parser of the spec grammar. Values are kept as views into the spec, so that every refusal can point at its place.
#include "fault/plan.hpp"

#include "fault/message.hpp"
#include "fault/values.hpp"
#include "fault/words.hpp"
#include "fault/xids.hpp"

namespace cudafault {

namespace {

enum Key {
    kXid,
    kError,
    kModel,
    kGpu,
    kCalls,
    kAfter,
    kEvery,
    kProbability,
    kTimes,
    kMtbf,
    kSeed,
    kFor,
    kUntil,
    kEffect,
    kSticky,
    kProcess,
    kRank,
    kNode,
    kPod,
    kScope,
    kKeyCount
};
constexpr char kKeyNames[kKeyCount][12] = {"xid",         "error",   "model", "gpu",  "calls", "after", "every",
                                           "probability", "times",   "mtbf",  "seed", "for",   "until", "effect",
                                           "sticky",      "process", "rank",  "node", "pod",   "scope"};
constexpr const char* kDuration = "a duration such as 500ms, 90s, 1.5m or 2h";

constexpr uint64_t kLastErrorCode = 9999;
constexpr uint64_t kLastExitCode = 255;

bool ends_with(Text text, Text suffix) {
    return text.size >= suffix.size && text.from(text.size - suffix.size) == suffix;
}

// The name without its ABI and stream suffix: cuMemAlloc of cuMemAlloc_v2, cuLaunchKernel of cuLaunchKernel_ptsz.
Text without_suffix(Text name) {
    if (ends_with(name, "_ptsz") || ends_with(name, "_ptds")) name = name.first(name.size - 5);
    size_t digits = 0;
    while (digits < name.size && is_digit(name[name.size - 1 - digits])) ++digits;
    const Text stem = name.first(name.size - digits);
    return digits > 0 && ends_with(stem, "_v") ? stem.first(stem.size - 2) : name;
}

constexpr Text kInternalPrefix =
    "__";  // of entry points that nvcc calls itself: __cudaLaunchKernel is cudaLaunchKernel

Text without_prefix(Text name) { return starts_with(name, kInternalPrefix) ? name.from(kInternalPrefix.size) : name; }

// Whether a glob means the exported name, or the name that a person knows the function by.
bool means(Text glob, Text name) {
    const Text bare = without_suffix(name);
    return glob_match(glob, name) || glob_match(glob, bare) || glob_match(glob, without_prefix(bare));
}

// How much of a glob stands before its first * or ?.
size_t literal_start(Text glob) {
    const size_t star = find(glob, '*'), question = find(glob, '?');
    return star < question ? star : question;
}

// The API whose functions can return the fault's code.
enum class CodeOf : uint8_t { any, cuda, nvml, nccl };

CodeOf code_of(Api api) {
    if (api == Api::nvml) return CodeOf::nvml;
    return api == Api::nccl ? CodeOf::nccl : CodeOf::cuda;
}

bool can_return(CodeOf code, Api api) { return code == CodeOf::any || code == code_of(api); }

const char* api_name(CodeOf code) {
    switch (code) {
        case CodeOf::nvml: return "NVML";
        case CodeOf::nccl: return "NCCL";
        default: return "driver and runtime";
    }
}

uint16_t class_bit(CallClass call_class) { return static_cast<uint16_t>(1u << static_cast<int>(call_class)); }

class FaultParser {
public:
    FaultParser(Text spec, Fault& fault, SpecError& error) : spec_(spec), fault_(fault), error_(error) {}

    bool parse(Text text) {
        set_defaults();
        return read_items(text) && read_values() && check_combinations(text) && choose_calls();
    }

    // Refuses a parsed fault that can never fire.
    bool check_can_fire(const Arming& arming) { return check_window(arming) && check_ranks(arming); }

private:
    bool has(Key key) const { return values_[key].data != nullptr; }

    // Starts the message that refuses `where`, a part of the spec.
    template <typename... Parts>
    Message refuse(Text where, Parts... parts) {
        error_.position = static_cast<size_t>(where.data - spec_.data);
        error_.length = where.size;
        Message message(error_.message);
        (message.add(parts), ...);
        return message;
    }

    template <typename... Parts>
    bool fail(Text where, Parts... parts) {
        refuse(where, parts...);
        return false;
    }

    bool expected(Key key, const char* what) { return expected(key, values_[key], what); }

    bool expected(Key key, Text value, const char* what) {
        return fail(value, "invalid ", kKeyNames[key], "= ", Quoted{value}, ": expected ", what);
    }

    void set_defaults() {
        fault_ = Fault{};
        fault_.every = 1;
        fault_.probability = kAlways;
        fault_.times = kForever;
        fault_.window_ns = kForever;
        fault_.until_ns = kForever;
    }

    // Items: which key has which value. A list's value reaches from its first to its last word.

    bool read_items(Text text) {
        Key list = kKeyCount;
        for (SpecWord word; next_spec_word(text, word);) {
            if (is_torn(word)) return fail(word.text, "write no spaces around =: expected key=value, such as xid=79");
            if (!word.has_key) {
                if (list != kGpu && list != kCalls && list != kRank) {
                    return fail(word.text, Quoted{word.text}, " has no key and continues no list: expected key=value");
                }
                values_[list].size = static_cast<size_t>(word.text.data + word.text.size - values_[list].data);
                continue;
            }
            if (!find_key(word.key, list)) return false;
            if (has(list)) return fail(word.text, kKeyNames[list], "= is given twice");
            values_[list] = word.value;
            if (values_[list].empty()) return fail(word.text, kKeyNames[list], "= needs a value, without a space");
        }
        return true;
    }

    // Whether the word is a part of "key = value".
    static bool is_torn(const SpecWord& word) {
        return word.has_key ? word.key.empty() : key_named(word.text) != kKeyCount;
    }

    static Key key_named(Text name) {
        int key = 0;
        while (key < kKeyCount && name != Text(kKeyNames[key])) ++key;
        return static_cast<Key>(key);
    }

    bool find_key(Text name, Key& out) {
        out = key_named(name);
        return out != kKeyCount || unknown_key(name);
    }

    bool unknown_key(Text name) {
        Message message = refuse(name, "unknown key ", Quoted{name}, ": expected one of");
        for (int key = 0; key < kKeyCount; ++key) {
            message.add(key == 0 ? " " : ", ");
            message.add(kKeyNames[key]);
        }
        return false;
    }

    // Values

    bool read_values() {
        for (int key = 0; key < kKeyCount; ++key) {
            if (has(static_cast<Key>(key)) && !read_value(static_cast<Key>(key))) return false;
        }
        return true;
    }

    bool read_value(Key key) {
        switch (key) {
            case kXid: return read_xid();
            case kError: return read_error();
            case kModel: return read_model();
            case kGpu: return read_gpus();
            case kCalls: return true;  // needs the error's API first
            case kAfter: return read_after();
            case kEvery: return read_number(key, 1, UINT64_MAX, fault_.every, "a number of calls, at least 1");
            case kProbability: return read_probability();
            case kTimes: return read_number(key, 1, kForever - 1, fault_.times, "a number of failures, at least 1");
            case kMtbf: return read_duration(key, fault_.mtbf_ns);
            case kSeed: return read_number(key, 0, UINT64_MAX, fault_.seed, "a whole number of at most 64 bits");
            case kFor: return read_duration(key, fault_.window_ns);
            case kUntil:
                return parse_timestamp(values_[key], fault_.until_ns) ||
                       expected(key, "a time such as 2026-11-23T12:00:00Z");
            case kEffect: return read_effect();
            case kSticky: return read_sticky();
            case kProcess: return read_glob(key, fault_.process);
            case kRank: return read_rank();
            case kNode: return read_glob(key, fault_.node);
            case kPod: return read_glob(key, fault_.pod);
            case kScope: return read_scope();
            case kKeyCount: break;
        }
        return false;
    }

    bool read_number(Key key, uint64_t least, uint64_t most, uint64_t& out, const char* what) {
        return (parse_number(values_[key], out) && out >= least && out <= most) || expected(key, what);
    }

    bool read_duration(Key key, uint64_t& out) {
        return (parse_duration(values_[key], out) && out > 0) || expected(key, kDuration);
    }

    bool read_choice(Key key, const char* no, const char* yes, bool& out) {
        out = values_[key] == Text(yes);
        return out || values_[key] == Text(no) ||
               fail(values_[key], "invalid ", kKeyNames[key], "= ", Quoted{values_[key]}, ": expected ", yes, " or ",
                    no);
    }

    bool read_xid() {
        uint64_t number = 0;
        if (!parse_number(values_[kXid], number) || number > UINT16_MAX) {
            return expected(kXid, "the number of an XID, such as 79");
        }
        const Xid* xid = find_xid(static_cast<uint32_t>(number));
        if (!xid) return unknown_xid(static_cast<uint32_t>(number));
        fault_.xid = xid->number;
        fault_.code = xid->simple_code;
        code_of_ = CodeOf::cuda;
        code_name_ = xid->simple_name;
        return true;
    }

    bool unknown_xid(uint32_t number) {
        Message message = refuse(values_[kXid]);
        describe_unknown_xid(number, message);
        return false;
    }

    bool read_error() {
        const Text text = values_[kError];
        code_name_ = text;
        uint64_t number = 0;
        if (parse_number(text, number)) {
            if (number < 1 || number > kLastErrorCode) {
                return expected(kError, "the name of an error, or its number from 1 to 9999");
            }
            fault_.code = static_cast<int32_t>(number);
            return true;
        }
        const ErrorName* found = find_error(text);
        if (!found) {
            return expected(kError,
                            "a number, or a name such as CUDA_ERROR_LAUNCH_FAILED, cudaErrorLaunchFailure, "
                            "NVML_ERROR_GPU_IS_LOST or ncclSystemError");
        }
        if (found->code == 0) return expected(kError, "an error; this name means success");
        fault_.code = found->code;
        code_of_ = code_of(found->api);
        return true;
    }

    bool read_model() {
        if (values_[kModel] == Text("realistic")) {
            return fail(values_[kModel], "model=realistic is not available yet, use model=simple");
        }
        return values_[kModel] == Text("simple") || expected(kModel, "simple");
    }

    bool read_gpus() {
        const Text list = values_[kGpu];
        for (Text rest = list, word; !(word = next_word(rest)).empty();) {
            if (word == Text("all")) {
                if (word.size != list.size) return fail(word, "gpu=all stands alone; leave the other GPUs out");
                return true;
            }
            if (fault_.gpu_count == kMaxGpus) return fail(word, "gpu= lists more than ", uint64_t{kMaxGpus}, " GPUs");
            if (!parse_gpu(word, fault_.gpus[fault_.gpu_count++])) {
                return expected(kGpu, word,
                                "0 to 255, a range such as 0-3, local:0, GPU-<uuid>, MIG-<uuid>, a PCI id such as "
                                "0000:65:00.0, or all");
            }
        }
        return true;
    }

    bool read_after() {
        uint64_t value = 0;
        if (parse_number(values_[kAfter], value)) {
            fault_.after_calls = value;
        } else if (parse_duration(values_[kAfter], value)) {
            fault_.after_ns = value;
        } else {
            return expected(kAfter, "a number of calls such as 100, or a duration such as 90s");
        }
        return true;
    }

    bool read_probability() {
        switch (parse_probability(values_[kProbability], fault_.probability)) {
            case ProbabilityResult::ok: return true;
            case ProbabilityResult::too_fine: return expected(kProbability, "at least 2^-64 and at most 96 decimals");
            default: return expected(kProbability, "a number above 0 and up to 1, such as 0.001, 1e-3 or 10%");
        }
    }

    bool read_effect() {
        const Text text = values_[kEffect];
        const size_t colon = find(text, ':');
        const Text name = text.first(colon);
        const bool bare = colon == text.size;
        const Text value = bare ? Text() : text.from(colon + 1);
        uint64_t& number = fault_.effect_value;
        if (name == Text("error")) return set_effect(Effect::error, bare, "error without a value");
        if (name == Text("hang")) return set_effect(Effect::hang, bare, "hang without a value");
        if (name == Text("delay")) {
            const bool valid = parse_duration(value, number) && number > 0;
            return set_effect(Effect::delay, valid, "delay with a duration, such as delay:6s");
        }
        if (name == Text("exit")) {
            const bool valid = parse_number(value, number) && number <= kLastExitCode;
            return set_effect(Effect::exit, valid, "exit with a code from 0 to 255, such as exit:1");
        }
        if (name == Text("signal")) {
            fault_.effect = Effect::signal;
            return parse_signal(value, number) || unknown_signal();
        }
        return expected(kEffect, "error, delay:6s, hang, exit:1 or signal:KILL");
    }

    bool unknown_signal() {
        const Text text = values_[kEffect];
        Message message =
            refuse(text, "invalid effect= ", Quoted{text}, ": expected signal: with a number from 1 to 64 or one of");
        for (int i = 0; i < signal_name_count(); ++i) {
            message.add(i == 0 ? " " : ", ");
            message.add(signal_name(i));
        }
        return false;
    }

    bool set_effect(Effect effect, bool valid, const char* what) {
        fault_.effect = effect;
        return valid || expected(kEffect, what);
    }

    template <size_t N>
    bool read_glob(Key key, char (&out)[N]) {
        const Text text = values_[key];
        if (text.size >= N) return fail(text, kKeyNames[key], "= is longer than ", uint64_t{N - 1}, " characters");
        for (size_t i = 0; i < text.size; ++i) {
            if (static_cast<unsigned char>(text[i]) < ' ') {
                return expected(key, "a name or glob without control characters");
            }
            out[i] = text[i];
        }
        return true;
    }

    bool read_rank() {
        for (Text rest = values_[kRank], word; !(word = next_word(rest)).empty();) {
            if (fault_.rank_count == kMaxRanks) {
                return fail(word, "rank= lists more than ", uint64_t{kMaxRanks}, " ranks and ranges");
            }
            uint64_t first = 0, last = 0;
            if (!parse_range(word, first, last) || last > INT32_MAX) {
                return expected(kRank, word, "the number of a rank, from 0, or a range such as 2-3");
            }
            fault_.ranks[fault_.rank_count++] = {static_cast<int32_t>(first), static_cast<int32_t>(last)};
        }
        return true;
    }

    bool read_sticky() {
        const Text value = values_[kSticky];
        fault_.sticky = value == Text("yes");
        fault_.breaks_context = value == Text("context");
        return fault_.sticky || fault_.breaks_context || value == Text("no") || expected(kSticky, "yes, no or context");
    }

    bool read_scope() {
        bool run = false;
        if (!read_choice(kScope, "process", "run", run)) return false;
        fault_.scope = run ? Scope::run : Scope::process;
        return true;
    }

    // Combinations

    bool check_combinations(Text text) {
        if (has(kXid) && has(kError)) {
            return fail(values_[kError], "xid= and error= exclude each other: give one of them");
        }
        if (has(kMtbf) && has(kEvery)) {
            return fail(values_[kEvery], "every= and mtbf= exclude each other: give one of them");
        }
        if (has(kMtbf) && has(kProbability)) {
            return fail(values_[kProbability], "probability= and mtbf= exclude each other: give one of them");
        }
        if (fault_.breaks_context &&
            (fault_.effect != Effect::error || code_of_ == CodeOf::nvml || code_of_ == CodeOf::nccl)) {
            return fail(values_[kSticky], "sticky=context needs an error of the driver or the runtime");
        }
        if (fault_.effect != Effect::error) {
            if (has(kError)) return fail(values_[kError], "error= needs effect=error: another effect returns no code");
            code_of_ = CodeOf::any;
            return true;
        }
        if (!has(kXid) && !has(kError)) {
            return fail(first_word(text), "a fault needs xid= or error=, or an effect= other than error");
        }
        return true;
    }

    static Text first_word(Text text) { return next_word(text); }

    // Faults that can never fire

    bool check_window(const Arming& arming) {
        if (has(kUntil) && fault_.until_ns <= arming.now_ns) {
            return fail(values_[kUntil], "until= ", Quoted{values_[kUntil]},
                        " is over, so the fault can never fire: give a later time");
        }
        if (!has(kUntil) || fault_.after_ns < fault_.until_ns - arming.now_ns) return true;
        return fail(values_[kAfter], "after= ", Quoted{values_[kAfter]},
                    " ends later than until= ", Quoted{values_[kUntil]},
                    ", so the fault can never fire: shorten after=, or give a later end");
    }

    bool check_ranks(const Arming& arming) {
        bool exists = fault_.rank_count == 0 || arming.ranks == 0;
        for (int i = 0; i < fault_.rank_count; ++i) {
            exists |= static_cast<uint64_t>(fault_.ranks[i].first) < arming.ranks;
        }
        return exists || fail(values_[kRank], "rank= ", Quoted{values_[kRank]}, " is not among the ", arming.ranks,
                              " ranks of this job, so the fault can never fire: expected 0 to ", arming.ranks - 1);
    }

    // Calls

    bool choose_calls() {
        const bool chosen = has(kCalls) ? read_calls() : default_calls();
        for (int row = 0; row < kFunctionCount; ++row) {
            if (!fault_.calls.has(row) || kFunctions[row].api != Api::runtime) continue;
            fault_.runtime_classes |= class_bit(kFunctions[row].call_class);
        }
        return chosen;
    }

    bool default_calls() {
        if (code_of_ == CodeOf::nvml || code_of_ == CodeOf::nccl) {
            const char* example = code_of_ == CodeOf::nvml ? "nvmlDeviceGet*" : "ncclAllReduce";
            return fail(values_[kError], Quoted{code_name_}, " needs calls= with ", api_name(code_of_),
                        " functions, such as calls=", example);
        }
        for (int row = 0; row < kFunctionCount; ++row) {
            if (kFunctions[row].simple_fails) fault_.calls.add(row);
        }
        return true;
    }

    bool read_calls() {
        for (Text rest = values_[kCalls], word; !(word = next_word(rest)).empty();) {
            if (!(word[0] == '@' ? add_class(word) : add_glob(word))) return false;
        }
        return true;
    }

    // A class spans all APIs; it means the functions that can return the code, and those of CUDA if all can.
    bool add_class(Text word) {
        CallClass wanted;
        if (!find_class(word.from(1), wanted)) return unknown_class(word);
        const CodeOf owner = code_of_ == CodeOf::any ? CodeOf::cuda : code_of_;
        bool found = false;
        for (int row = 0; row < kFunctionCount; ++row) {
            const Function& function = kFunctions[row];
            if (function.call_class != wanted || !can_fail(function) || !can_return(owner, function.api)) continue;
            fault_.calls.add(row);
            found = true;
        }
        return found || fail(word, "invalid calls= ", Quoted{word}, ": the class has no ", api_name(owner),
                             " function that returns an error code");
    }

    bool unknown_class(Text word) {
        Message message = refuse(word, "invalid calls= ", Quoted{word}, ": expected a class out of");
        for (int i = 0; i < kCallClasses; ++i) {
            message.add(" @");
            message.add(class_name(static_cast<CallClass>(i)));
        }
        return false;
    }

    struct GlobMatches {
        bool any = false;
        bool can_fail = false;
    };

    bool add_glob(Text word) {
        // Only names that start as the glob does: a pod's process parses the plan while its program waits.
        const Text start = word.first(literal_start(word));
        GlobMatches found;
        if (!add_rows(word, start, found)) return false;
        if (!starts_with(start, "_") && !start.empty() && !add_rows(word, kInternalPrefix, found)) return false;
        if (found.can_fail) return true;
        return found.any ? fail(word, "invalid calls= ", Quoted{word}, ": it names only functions that never fail")
                         : fail(word, "invalid calls= ", Quoted{word},
                                ": it matches no function; `cudafault functions` lists them");
    }

    // Adds the functions that the glob means, out of those whose exported names have this prefix.
    bool add_rows(Text glob, Text prefix, GlobMatches& found) {
        for (int row = first_row_from(prefix); row < kFunctionCount; ++row) {
            const Text name = function_name(row);
            if (!starts_with(name, prefix)) break;
            if (!means(glob, name)) continue;
            found.any = true;
            if (!can_fail(kFunctions[row])) continue;
            if (!can_return(code_of_, kFunctions[row].api)) {
                return fail(glob, "invalid calls= ", Quoted{glob}, ": ", name, " cannot return ", Quoted{code_name_},
                            "; name ", api_name(code_of_), " functions only");
            }
            fault_.calls.add(row);
            found.can_fail = true;
        }
        return true;
    }

    const Text spec_;
    Fault& fault_;
    SpecError& error_;
    Text values_[kKeyCount];
    CodeOf code_of_ = CodeOf::any;
    Text code_name_;
};

bool refuse_size(Text spec, Text excess, const char* what, uint64_t limit, SpecError& error) {
    error.position = static_cast<size_t>(excess.data - spec.data);
    error.length = excess.size;
    Message message(error.message);
    message.add("a plan has at most ");
    message.add(limit);
    message.add(" ");
    message.add(what);
    return false;
}

void add_all(FunctionSet& set, const FunctionSet& added) {
    for (size_t word = 0; word < sizeof set.words / sizeof *set.words; ++word) set.words[word] |= added.words[word];
}

void find_reached_functions(Plan& plan) {
    plan.reached = FunctionSet{};
    bool breaks_context = false;
    for (int i = 0; i < plan.count; ++i) {
        add_all(plan.reached, plan.faults[i].calls);
        breaks_context |= plan.faults[i].breaks_context;
    }
    for (int row = 0; plan.count > 0 && row < kFunctionCount; ++row) {
        const Function& function = kFunctions[row];
        const bool fails_without_context = breaks_context && function.simple_fails;
        if (function.hook == Hook::last_error || fails_without_context) plan.reached.add(row);
    }
}

bool is_terminated(const char (&text)[kMaxGlob]) {
    for (const char c : text) {
        if (c == '\0') return true;
    }
    return false;
}

bool names_only_failing_functions(const FunctionSet& calls) {
    for (size_t word = 0; word < sizeof calls.words / sizeof *calls.words; ++word) {
        for (uint64_t left = calls.words[word]; left != 0; left &= left - 1) {
            const int row = static_cast<int>(word) * 64 + __builtin_ctzll(left);
            if (row >= kFunctionCount || !can_fail(kFunctions[row])) return false;
        }
    }
    return true;
}

bool is_well_formed(const Fault& fault) {
    if (fault.model != Model::simple || fault.scope > Scope::run || fault.effect > Effect::signal) return false;
    if (fault.gpu_count > kMaxGpus || fault.rank_count > kMaxRanks || fault.every == 0) return false;
    for (int i = 0; i < fault.gpu_count; ++i) {
        if (fault.gpus[i].kind > GpuKind::pci || fault.gpus[i].uuid_digits > kUuidDigits) return false;
    }
    return is_terminated(fault.process) && is_terminated(fault.node) && is_terminated(fault.pod) &&
           names_only_failing_functions(fault.calls);
}

}  // namespace

Text take_revision(Text file, uint64_t& revision) {
    const size_t end = find(file, '\n');
    revision = 0;
    if (end == 0 || file[0] != '#' || !parse_number(file.first(end).from(1), revision)) {
        revision = 0;
        return file;
    }
    return file.from(end < file.size ? end + 1 : end);
}

bool matches_uuid(const GpuSelector& selector, const uint8_t (&uuid)[16]) {
    for (int digit = 0; digit < selector.uuid_digits; ++digit) {
        const int shift = digit % 2 == 0 ? 4 : 0;
        if ((selector.uuid[digit / 2] >> shift & 15) != (uuid[digit / 2] >> shift & 15)) return false;
    }
    return true;
}

bool is_well_formed(const Plan& plan) {
    if (plan.count < 0 || plan.count > kMaxFaults) return false;
    for (int i = 0; i < plan.count; ++i) {
        if (!is_well_formed(plan.faults[i])) return false;
    }
    return true;
}

bool concerns_rank(const Fault& fault, int rank) {
    for (int i = 0; i < fault.rank_count; ++i) {
        if (fault.ranks[i].first <= rank && rank <= fault.ranks[i].last) return true;
    }
    return fault.rank_count == 0;
}

bool counts_inner_call(const Fault& fault, int row) {
    // The runtime has no function of class init: each of its functions may initialize the driver.
    const CallClass call_class = kFunctions[row].call_class;
    return call_class == CallClass::init ? fault.runtime_classes == 0
                                         : !(fault.runtime_classes & class_bit(call_class));
}

bool parse_plan(Text spec, Plan& plan, SpecError& error, const Arming* arming) {
    plan.count = 0;
    if (spec.size > kMaxSpec) return refuse_size(spec, spec.from(kMaxSpec), "bytes", kMaxSpec, error);
    for (Text rest = spec, fault; !(fault = next_fault(rest)).empty();) {
        if (plan.count == kMaxFaults) return refuse_size(spec, fault, "faults", kMaxFaults, error);
        FaultParser parser(spec, plan.faults[plan.count], error);
        if (!parser.parse(fault) || (arming && !parser.check_can_fire(*arming))) return false;
        ++plan.count;
    }
    find_reached_functions(plan);
    return true;
}

}  // namespace cudafault
