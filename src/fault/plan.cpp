// SPDX-License-Identifier: Apache-2.0
// The parser of the spec grammar. Values are kept as views into the spec, so that every refusal can name its place.
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
constexpr const char* kDuration = "a duration such as 500ms, 90s, 1m or 2h";

constexpr uint64_t kLastErrorCode = 9999;
constexpr uint64_t kLastExitCode = 255;

bool ends_with(Text text, Text suffix) {
    return text.size >= suffix.size && text.from(text.size - suffix.size) == suffix;
}

// cuMemAlloc of cuMemAlloc_v2, cuLaunchKernel of cuLaunchKernel_ptsz: what a person calls the function.
Text base_name(Text name) {
    if (ends_with(name, "_ptsz") || ends_with(name, "_ptds")) name = name.first(name.size - 5);
    size_t digits = 0;
    while (digits < name.size && is_digit(name[name.size - 1 - digits])) ++digits;
    const Text stem = name.first(name.size - digits);
    return digits > 0 && ends_with(stem, "_v") ? stem.first(stem.size - 2) : name;
}

// How much of a glob stands before its first * or ?.
size_t literal_start(Text glob) {
    const size_t star = find(glob, '*'), question = find(glob, '?');
    return star < question ? star : question;
}

// Whose functions can return the fault's code.
enum class CodeOf : uint8_t { anyone, cuda, nvml, nccl };

CodeOf code_of(Api api) {
    if (api == Api::nvml) return CodeOf::nvml;
    return api == Api::nccl ? CodeOf::nccl : CodeOf::cuda;
}

bool can_return(CodeOf code, Api api) { return code == CodeOf::anyone || code == code_of(api); }

// Names, of the functions that calls= may then name.
const char* owner_name(CodeOf code) {
    switch (code) {
        case CodeOf::nvml: return "NVML";
        case CodeOf::nccl: return "NCCL";
        default: return "driver and runtime";
    }
}

class FaultParser {
public:
    FaultParser(Text spec, Fault& fault, SpecError& error) : spec_(spec), fault_(fault), error_(error) {}

    bool parse(Text text) {
        set_defaults();
        return read_items(text) && read_values() && check_combinations(text) && choose_calls();
    }

private:
    bool has(Key key) const { return values_[key].data != nullptr; }

    // Starts the message of a refusal of `where`, a part of the spec.
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

    bool expected(Key key, const char* what) {
        return fail(values_[key], kKeyNames[key], "= is ", Quoted{values_[key]}, ", expected ", what);
    }

    void set_defaults() {
        fault_ = Fault{};
        fault_.every = 1;
        fault_.probability = kAlways;
        fault_.times = kForever;
        fault_.window_ns = kForever;
        fault_.until_ns = kForever;
        fault_.rank = -1;
    }

    // Items: which key has which value. A list's value reaches from its first to its last word.

    bool read_items(Text text) {
        Key list = kKeyCount;
        for (Text rest = text, word; !(word = next_word(rest)).empty();) {
            const size_t equals = find(word, '=');
            if (equals == word.size) {
                if (list != kGpu && list != kCalls) {
                    return fail(word, Quoted{word}, " is not key=value and continues no list");
                }
                values_[list].size = static_cast<size_t>(word.data + word.size - values_[list].data);
                continue;
            }
            if (!find_key(word.first(equals), list)) return false;
            if (has(list)) return fail(word, kKeyNames[list], "= is given twice");
            values_[list] = word.from(equals + 1);
            if (values_[list].empty()) return fail(word, kKeyNames[list], "= needs a value");
        }
        return true;
    }

    bool find_key(Text name, Key& out) {
        for (int key = 0; key < kKeyCount; ++key) {
            if (name == Text(kKeyNames[key])) {
                out = static_cast<Key>(key);
                return true;
            }
        }
        return unknown_key(name);
    }

    bool unknown_key(Text name) {
        Message message = refuse(name, "unknown key ", Quoted{name}, ", expected one of");
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
               fail(values_[key], kKeyNames[key], "= is ", Quoted{values_[key]}, ", expected ", yes, " or ", no);
    }

    bool read_xid() {
        uint64_t number = 0;
        if (!parse_number(values_[kXid], number) || number > UINT16_MAX) {
            return expected(kXid, "the number of an XID, such as 79");
        }
        const Xid* xid = find_xid(static_cast<uint32_t>(number));
        if (!xid) return unknown_xid();
        fault_.xid = xid->number;
        fault_.code = xid->simple_code;
        code_of_ = CodeOf::cuda;
        code_name_ = xid->simple_name;
        return true;
    }

    bool unknown_xid() {
        const Text text = values_[kXid];
        Message message = refuse(text, "xid= is ", Quoted{text}, ", which is not known, expected one of");
        for (int i = 0; i < xid_count(); ++i) {
            message.add(i == 0 ? " " : ", ");
            message.add(uint64_t{xids()[i].number});
        }
        return false;
    }

    bool read_error() {
        const Text text = values_[kError];
        code_name_ = text;
        uint64_t number = 0;
        if (parse_number(text, number)) {
            if (number < 1 || number > kLastErrorCode) {
                return expected(kError, "an error's name, or its number from 1 to 9999");
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
                return fail(
                    word, "gpu= has ", Quoted{word},
                    ", expected 0 to 255, local:0, GPU-<uuid>, MIG-<uuid>, a PCI id such as 0000:65:00.0, or all");
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
            default: return expected(kProbability, "a number above 0 and up to 1, such as 0.001 or 1e-3");
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
            return set_effect(Effect::signal, parse_signal(value, number),
                              "signal with its name or number, such as signal:KILL");
        }
        return expected(kEffect, "error, delay:6s, hang, exit:1 or signal:KILL");
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
        uint64_t rank = 0;
        if (!read_number(kRank, 0, INT32_MAX, rank, "the number of a rank, from 0")) return false;
        fault_.rank = static_cast<int32_t>(rank);
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
            code_of_ = CodeOf::anyone;
            return true;
        }
        if (!has(kXid) && !has(kError)) {
            return fail(first_word(text), "a fault needs xid= or error=, or an effect= other than error");
        }
        return true;
    }

    static Text first_word(Text text) { return next_word(text); }

    // Calls

    bool choose_calls() {
        const bool chosen = has(kCalls) ? read_calls() : default_calls();
        for (int row = 0; row < kFunctionCount; ++row) {
            fault_.calls_name_runtime |= fault_.calls.has(row) && kFunctions[row].api == Api::runtime;
        }
        return chosen;
    }

    bool default_calls() {
        if (code_of_ == CodeOf::nvml || code_of_ == CodeOf::nccl) {
            const char* example = code_of_ == CodeOf::nvml ? "nvmlDeviceGet*" : "ncclAllReduce";
            return fail(values_[kError], Quoted{code_name_}, " needs calls= with ", owner_name(code_of_),
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

    // A class spans all APIs; meant are the functions that can return the code, and CUDA's if any could.
    bool add_class(Text word) {
        CallClass wanted;
        if (!find_class(word.from(1), wanted)) return unknown_class(word);
        const CodeOf owner = code_of_ == CodeOf::anyone ? CodeOf::cuda : code_of_;
        bool found = false;
        for (int row = 0; row < kFunctionCount; ++row) {
            const Function& function = kFunctions[row];
            if (function.call_class != wanted || !can_fail(function) || !can_return(owner, function.api)) continue;
            fault_.calls.add(row);
            found = true;
        }
        return found || fail(word, "calls= has ", Quoted{word}, ", which holds no ", owner_name(owner),
                             " function that returns an error code");
    }

    bool unknown_class(Text word) {
        Message message = refuse(word, "calls= has ", Quoted{word}, ", expected a class out of");
        for (int i = 0; i < kCallClasses; ++i) {
            message.add(" @");
            message.add(class_name(static_cast<CallClass>(i)));
        }
        return false;
    }

    bool add_glob(Text word) {
        // Only names that start as the glob does; every process of a run parses the plan while it is armed.
        const Text start = word.first(literal_start(word));
        bool matched = false, found = false;
        for (int row = first_row_from(start); row < kFunctionCount; ++row) {
            const Text name = function_name(row);
            if (!starts_with(name, start)) break;
            if (!glob_match(word, name) && !glob_match(word, base_name(name))) continue;
            matched = true;
            if (!can_fail(kFunctions[row])) continue;
            if (!can_return(code_of_, kFunctions[row].api)) {
                return fail(word, "calls= has ", Quoted{word}, ", but ", name, " cannot return ", Quoted{code_name_},
                            "; name ", owner_name(code_of_), " functions only");
            }
            fault_.calls.add(row);
            found = true;
        }
        if (found) return true;
        return matched ? fail(word, "calls= has ", Quoted{word}, ", which names only functions that never fail")
                       : fail(word, "calls= has ", Quoted{word},
                              ", which matches no function; `cudafault functions` lists them");
    }

    const Text spec_;
    Fault& fault_;
    SpecError& error_;
    Text values_[kKeyCount];
    CodeOf code_of_ = CodeOf::anyone;
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

}  // namespace

bool parse_plan(Text spec, Plan& plan, SpecError& error) {
    plan.count = 0;
    if (spec.size > kMaxSpec) return refuse_size(spec, spec.from(kMaxSpec), "bytes", kMaxSpec, error);
    for (size_t start = 0; start < spec.size;) {
        const Text fault = spec.from(start).first(find(spec.from(start), ';'));
        start += fault.size + 1;
        if (is_blank(fault)) continue;
        if (plan.count == kMaxFaults) return refuse_size(spec, fault, "faults", kMaxFaults, error);
        if (!FaultParser(spec, plan.faults[plan.count], error).parse(fault)) return false;
        ++plan.count;
    }
    return true;
}

}  // namespace cudafault
