// SPDX-License-Identifier: Apache-2.0
// Tests the spec grammar: an example for each key, and each kind of error with its position.
#include "fault/plan.hpp"

#include <functional>
#include <map>
#include <vector>

#include "fault/fault_testing.hpp"

namespace cudafault {
namespace {

constexpr uint64_t seconds(uint64_t count) { return count * 1'000'000'000; }

bool has_function(const Fault& fault, const char* function) {
    const int row = find_function(function);
    EXPECT_GE(row, 0) << function << " is not in the table";
    return row >= 0 && fault.calls.has(row);
}

struct Accepted {
    const char* spec;
    std::function<bool(const Fault&)> is_expected;
};

const Accepted kAccepted[] = {
    {"xid=79", [](const Fault& f) { return f.xid == 79 && f.code == 100; }},
    {"xid=48", [](const Fault& f) { return f.code == 214; }},
    {"xid=94", [](const Fault& f) { return f.code == 214; }},
    {"xid=95", [](const Fault& f) { return f.code == 999; }},
    {"xid=43", [](const Fault& f) { return f.code == 702; }},
    {"xid=74", [](const Fault& f) { return f.code == 217; }},
    {"xid=13", [](const Fault& f) { return f.code == 700; }},
    {"error=CUDA_ERROR_LAUNCH_FAILED", [](const Fault& f) { return f.xid == 0 && f.code == 719; }},
    {"error=cudaErrorNoDevice", [](const Fault& f) { return f.code == 100; }},
    {"error=719", [](const Fault& f) { return f.code == 719; }},
    {"error=9999", [](const Fault& f) { return f.code == 9999; }},
    {"error=NVML_ERROR_GPU_IS_LOST calls=nvmlDeviceGet*",
     [](const Fault& f) {
         return f.code == 15 && has_function(f, "nvmlDeviceGetMemoryInfo") && !has_function(f, "cuInit");
     }},
    {"error=NVML_ERROR_GPU_IS_LOST calls=@device",
     [](const Fault& f) { return has_function(f, "nvmlDeviceGetMemoryInfo") && !has_function(f, "cuDeviceGetCount"); }},
    {"error=ncclUnhandledCudaError calls=ncclAllReduce",
     [](const Fault& f) { return has_function(f, "ncclAllReduce"); }},
    {"error=15 calls=nvmlDeviceGetMemoryInfo",
     [](const Fault& f) { return has_function(f, "nvmlDeviceGetMemoryInfo"); }},
    {"xid=79 model=simple", [](const Fault& f) { return f.model == Model::simple; }},

    {"xid=79", [](const Fault& f) { return f.gpu_count == 0; }},
    {"xid=79 gpu=all", [](const Fault& f) { return f.gpu_count == 0; }},
    {"xid=79 gpu=3", [](const Fault& f) { return f.gpus[0].kind == GpuKind::index && f.gpus[0].number == 3; }},
    {"xid=79 gpu=local:1", [](const Fault& f) { return f.gpus[0].kind == GpuKind::local && f.gpus[0].number == 1; }},
    {"xid=79 gpu=0000:65:1f.0",
     [](const Fault& f) { return f.gpus[0].kind == GpuKind::pci && f.gpus[0].number == 0x651f; }},
    {"xid=79 gpu=GPU-01020304-0506-0708-090a-0b0c0d0e0fFF,00000001:0A:00.0 2",
     [](const Fault& f) {
         return f.gpu_count == 3 && f.gpus[0].kind == GpuKind::uuid && f.gpus[0].uuid[0] == 1 &&
                f.gpus[0].uuid[9] == 10 && f.gpus[0].uuid[15] == 0xff && f.gpus[1].number == (1u << 16 | 10u << 8) &&
                f.gpus[2].number == 2;
     }},
    {"xid=79 gpu=MIG-01020304-0506-0708-090a-0b0c0d0e0f10",
     [](const Fault& f) { return f.gpus[0].kind == GpuKind::uuid; }},

    {"xid=79 calls=cuLaunchKernel*,@memory,cuInit after=1",
     [](const Fault& f) {
         return has_function(f, "cuLaunchKernel") && has_function(f, "cuLaunchKernel_ptsz") &&
                has_function(f, "cuMemAlloc_v2") && has_function(f, "cuInit") && !has_function(f, "cuCtxSynchronize") &&
                f.after_calls == 1;
     }},
    {"xid=79 calls=cuMemAlloc",
     [](const Fault& f) { return has_function(f, "cuMemAlloc_v2") && !has_function(f, "cuMemAllocAsync"); }},
    {"xid=79 calls=cuLaunchKernel_ptsz", [](const Fault& f) { return !has_function(f, "cuLaunchKernel"); }},
    {"xid=79 calls=@memory", [](const Fault& f) { return f.runtime_classes != 0 && has_function(f, "cudaMalloc"); }},
    {"xid=79 calls=cuMemAlloc*", [](const Fault& f) { return f.runtime_classes == 0; }},
    {"xid=79",
     [](const Fault& f) {
         return has_function(f, "cuInit") && has_function(f, "cudaMalloc") && !has_function(f, "cuMemFree_v2") &&
                !has_function(f, "cuGetErrorName") && !has_function(f, "nvmlInit_v2") &&
                !has_function(f, "ncclAllReduce");
     }},

    {"xid=79", [](const Fault& f) { return f.after_calls == 0 && f.after_ns == 0 && f.every == 1; }},
    {"xid=79 after=100", [](const Fault& f) { return f.after_calls == 100 && f.after_ns == 0; }},
    {"xid=79 after=90s", [](const Fault& f) { return f.after_calls == 0 && f.after_ns == seconds(90); }},
    {"xid=79 every=10", [](const Fault& f) { return f.every == 10; }},
    {"xid=79", [](const Fault& f) { return f.probability == kAlways && f.times == kForever && f.mtbf_ns == 0; }},
    {"xid=79 probability=0.5", [](const Fault& f) { return f.probability == uint64_t{1} << 63; }},
    {"xid=79 times=1", [](const Fault& f) { return f.times == 1; }},
    {"xid=79 mtbf=2h seed=42", [](const Fault& f) { return f.mtbf_ns == seconds(7200) && f.seed == 42; }},
    {"xid=79", [](const Fault& f) { return f.window_ns == kForever && f.until_ns == kForever && !f.sticky; }},
    {"xid=79 for=30s until=1970-01-01T00:01:00Z",
     [](const Fault& f) { return f.window_ns == seconds(30) && f.until_ns == seconds(60); }},
    {"xid=79 effect=error", [](const Fault& f) { return f.effect == Effect::error; }},
    {"xid=79 effect=delay:6s",
     [](const Fault& f) {
         return f.effect == Effect::delay && f.effect_value == seconds(6) && has_function(f, "cuInit");
     }},
    {"effect=hang calls=ncclAllReduce", [](const Fault& f) { return f.effect == Effect::hang && f.xid == 0; }},
    {"xid=79 effect=exit:255", [](const Fault& f) { return f.effect == Effect::exit && f.effect_value == 255; }},
    {"xid=79 effect=exit:0", [](const Fault& f) { return f.effect_value == 0; }},
    {"xid=79 effect=signal:KILL", [](const Fault& f) { return f.effect == Effect::signal && f.effect_value == 9; }},
    {"xid=79 effect=signal:SIGSEGV", [](const Fault& f) { return f.effect_value == 11; }},
    {"xid=79 effect=signal:15", [](const Fault& f) { return f.effect_value == 15; }},
    {"xid=79 sticky=yes", [](const Fault& f) { return f.sticky; }},
    {"xid=79 sticky=no", [](const Fault& f) { return !f.sticky && !f.breaks_context; }},
    {"xid=79 sticky=context", [](const Fault& f) { return !f.sticky && f.breaks_context; }},
    {"xid=79 process=train*.py node=node-7 pod=worker-?",
     [](const Fault& f) {
         return std::string(f.process) == "train*.py" && std::string(f.node) == "node-7" &&
                std::string(f.pod) == "worker-?";
     }},
    {"xid=79 rank=3",
     [](const Fault& f) { return f.rank_count == 1 && f.ranks[0].first == 3 && f.ranks[0].last == 3; }},
    {"xid=79", [](const Fault& f) { return f.rank_count == 0 && f.process[0] == 0 && f.scope == Scope::process; }},
    {"xid=79 scope=run", [](const Fault& f) { return f.scope == Scope::run; }},
    {"xid=79 rank=0,2-3 gpu=0",
     [](const Fault& f) {
         return f.rank_count == 2 && f.ranks[1].first == 2 && f.ranks[1].last == 3 && is_rank_selected(f, 0) &&
                !is_rank_selected(f, 1) && is_rank_selected(f, 3) && !is_rank_selected(f, -1);
     }},
    {"xid=79 gpu=0-3,local:1-2",
     [](const Fault& f) {
         return f.gpu_count == 2 && f.gpus[0].number == 0 && f.gpus[0].last == 3 && f.gpus[1].kind == GpuKind::local &&
                f.gpus[1].number == 1 && f.gpus[1].last == 2;
     }},
    {"xid=79 gpu=GPU-8a3",
     [](const Fault& f) {
         return f.gpus[0].uuid_digits == 3 && f.gpus[0].uuid[0] == 0x8a && f.gpus[0].uuid[1] == 0x30;
     }},
    {"xid=79 after=1.5s", [](const Fault& f) { return f.after_ns == 1'500'000'000; }},
    {"xid=79 after=1d", [](const Fault& f) { return f.after_ns == seconds(86400); }},
    {"xid=79 probability=50%", [](const Fault& f) { return f.probability == uint64_t{1} << 63; }},
    {"# of GPU 0; not of GPU 1\nxid=79 # after=5\n gpu=1 #;",
     [](const Fault& f) { return f.after_calls == 0 && f.gpu_count == 1 && f.gpus[0].number == 1; }},
    {"xid=79 process=a#b,node=#1",
     [](const Fault& f) { return std::string(f.process) == "a#b" && std::string(f.node) == "#1"; }},
    {"\txid=79,gpu=1,,2\n", [](const Fault& f) { return f.xid == 79 && f.gpu_count == 2; }},
};

TEST(Spec, ParsesEveryKey) {
    for (const Accepted& accepted : kAccepted)
        EXPECT_TRUE(accepted.is_expected(fault_of(accepted.spec))) << accepted.spec;
}

struct Refused {
    std::string spec;
    std::string offender;  // the text at the error's position: its first occurrence at or after `search_from`
    std::string message;   // part of the error message
    size_t search_from = 0;
};

void expect_refusal(const Refused& refused) {
    SCOPED_TRACE(refused.spec);
    Plan plan;
    SpecError error{};
    ASSERT_FALSE(parse_plan(Text(refused.spec.data(), refused.spec.size()), plan, error));
    EXPECT_EQ(error.position, refused.spec.find(refused.offender, refused.search_from)) << error.message;
    EXPECT_EQ(error.length, refused.offender.size()) << error.message;
    EXPECT_NE(std::string(error.message).find(refused.message), std::string::npos) << error.message;
}

std::string repeated(const std::string& text, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += text;
    return out;
}

const Refused kRefused[] = {
    {"xid=79 gpus=0", "gpus", "unknown key \"gpus\": expected one of xid, error"},
    {"xid=79;color=red", "color", "unknown key"},
    {"xid=79 =3", "=3", "remove the spaces around ="},
    {"xid = 79", "xid", "remove the spaces around ="},
    {"xid =79", "xid", "remove the spaces around ="},
    {"xid= 79", "xid=", "xid= needs a value directly after ="},
    {"xid=79 gpu=0 after = 5", "after", "remove the spaces around ="},
    {"xid=79 calls=cuInit gpu = 0", "gpu", "remove the spaces around ="},
    {"gpu = 0 xid=79", "gpu", "remove the spaces around ="},
    {"hello", "hello", "has no key and is not part of a list"},
    {"xid=79 48", "48", "is not part of a list"},
    {"gpu=0;1 xid=79", "gpu=0", "needs xid= or error="},
    {"xid=79 gpu=0;1", "1", "is not part of a list", 13},
    {"xid=79 gpu=", "gpu=", "gpu= needs a value"},
    {"xid=79 after=1 after=2", "after=2", "after= is given twice: separate faults with ;"},
    {"xid=79 gpu=0\nxid=48 gpu=1", "xid=48", "xid= is given twice: separate faults with ;"},
    {"xid=79\nerror=719", "719", "or separate two faults with ;"},
    {"gpu=0", "gpu=0", "a fault needs xid= or error="},

    {"xid=999", "999", "unknown XID 999: `cudafault xids` lists the XIDs"},
    {"xid=3", "3", "XID 3 is reserved: "},
    {"xid=63", "63", "XID 63 makes no CUDA call fail"},
    {"xid=9999", "9999", "use error= for another code"},
    {"xid=seventy", "seventy", "the number of an XID"},
    {"xid=99999999999999999999", "99999999999999999999", "the number of an XID"},
    {"error=CUDA_ERROR_NOPE", "CUDA_ERROR_NOPE", "a name such as CUDA_ERROR_LAUNCH_FAILED"},
    {"error=CUDA_SUCCESS", "CUDA_SUCCESS", "means success"},
    {"error=0", "0", "1 to 9999"},
    {"error=10000", "10000", "1 to 9999"},
    {"error=-1", "-1", "expected a number"},
    {"xid=79 error=719", "719", "cannot be combined"},
    {"xid=79 model=realistic", "realistic", "model=realistic is not available yet, use model=simple"},
    {"xid=79 model=cheap", "cheap", "expected simple"},

    {"xid=79 gpu=256", "256", "expected 0 to 255"},
    {"xid=79 gpu=-1", "-1", "invalid gpu= \"-1\""},
    {"xid=79 gpu=0,first", "first", "invalid gpu= \"first\""},
    {"xid=79 gpu=local:", "local:", "invalid gpu="},
    {"xid=79 gpu=3-0", "3-0", "a range such as 0-3"},
    {"xid=79 gpu=0-", "0-", "a range such as 0-3"},
    {"xid=79 gpu=0-256", "0-256", "a range such as 0-3"},
    {"xid=79 gpu=GPU-", "GPU-", "GPU-<uuid>"},
    {"xid=79 gpu=GPU-0102g", "GPU-0102g", "GPU-<uuid>"},
    {"xid=79 gpu=GPU-01020304-0506-0708-090a-0b0c0d0e0f101", "GPU-01020304-0506-0708-090a-0b0c0d0e0f101", "GPU-<uuid>"},
    {"xid=79 gpu=GPU-01020304-0506-0708-090a_0b0c0d0e0f10", "GPU-01020304-0506-0708-090a_0b0c0d0e0f10", "GPU-<uuid>"},
    {"xid=79 gpu=0000:65:20.0", "0000:65:20.0", "PCI id"},
    {"xid=79 gpu=0000:65:00.1", "0000:65:00.1", "PCI id"},
    {"xid=79 gpu=00010000:65:00.0", "00010000:65:00.0", "PCI id"},
    {"xid=79 gpu=all,0", "all", "cannot be combined"},
    {"xid=79 gpu=0 all", "all", "cannot be combined"},
    {"xid=79 gpu=" + repeated("7,", 16) + "99", "99", "more than 16 GPUs"},
    {"error=NVML_ERROR_GPU_IS_LOST calls=nvmlDeviceGet* gpu=local:0", "local:0", "no CUDA ordinal"},
    {"effect=hang calls=nvmlDeviceGetName gpu=local:0,local:2", "local:0,local:2", "no CUDA ordinal"},

    {"xid=79 calls=cuNoSuch*", "cuNoSuch*", "no function matches"},
    {"xid=79 calls=cuInit,@disk", "@disk", "expected one of @init @device"},
    {"xid=79 calls=cuGetProcAddress", "cuGetProcAddress", "the matching functions never fail"},
    {"xid=79 calls=cudaGetErrorString", "cudaGetErrorString", "the matching functions never fail"},
    {"xid=79 calls=nvmlInit*", "nvmlInit*",
     "cannot return \"CUDA_ERROR_NO_DEVICE\"; name driver and runtime functions only"},
    {"xid=79 calls=*", "*", "cannot return"},
    {"calls=cuInit error=NVML_ERROR_GPU_IS_LOST", "cuInit", "name NVML functions only"},
    {"error=NVML_ERROR_GPU_IS_LOST", "NVML_ERROR_GPU_IS_LOST", "needs calls= with NVML functions"},
    {"error=ncclUnhandledCudaError", "ncclUnhandledCudaError", "needs calls= with NCCL functions"},
    {"error=ncclUnhandledCudaError calls=@ipc", "@ipc", "has no NCCL function"},

    {"xid=79 after=soon", "soon", "a number of calls such as 100, or a duration such as 90s"},
    {"xid=79 after=1.5", "1.5", "a duration"},
    {"xid=79 after=5124096h", "5124096h", "a duration"},
    {"xid=79 every=0", "0", "at least 1", 8},
    {"xid=79 times=0", "0", "at least 1", 8},
    {"xid=79 times=18446744073709551615", "18446744073709551615", "at least 1"},
    {"xid=79 every=1x", "1x", "at least 1"},
    {"xid=79 probability=0", "0", "above 0 and up to 1", 8},
    {"xid=79 probability=1.01", "1.01", "above 0 and up to 1"},
    {"xid=79 probability=1e-20", "1e-20", "at least 2^-64"},
    {"xid=79 probability=often", "often", "above 0 and up to 1"},
    {"xid=79 mtbf=2", "2", "a duration", 8},
    {"xid=79 mtbf=0s", "0s", "a duration", 8},
    {"xid=79 mtbf=2h every=3", "3", "every= and mtbf= cannot be combined"},
    {"xid=79 mtbf=2h probability=0.1", "0.1", "probability= and mtbf= cannot be combined"},
    {"xid=79 seed=18446744073709551616", "18446744073709551616", "64 bits"},
    {"xid=79 for=0s", "0s", "a duration"},
    {"xid=79 for=30", "30", "a duration"},
    {"xid=79 until=tomorrow", "tomorrow", "a time such as 2026-11-23T12:00:00Z"},
    {"xid=79 until=2026-02-29T00:00:00Z", "2026-02-29T00:00:00Z", "a time such as"},
    {"xid=79 until=2026-11-23T12:00:00+0100", "2026-11-23T12:00:00+0100", "a time such as"},

    {"xid=79 effect=explode", "explode", "error, delay:6s, hang, exit:1 or signal:KILL"},
    {"xid=79 effect=delay", "delay", "delay:6s"},
    {"xid=79 effect=delay:0s", "delay:0s", "delay:6s"},
    {"xid=79 effect=hang:5s", "hang:5s", "hang without a value"},
    {"xid=79 effect=error:5", "error:5", "error without a value"},
    {"xid=79 effect=exit:256", "exit:256", "0 to 255"},
    {"xid=79 effect=exit", "exit", "0 to 255"},
    {"xid=79 effect=signal:FOO", "signal:FOO", "expected signal with a number from 1 to 64 or one of HUP, INT"},
    {"xid=79 effect=signal:65", "signal:65", "SYS"},
    {"error=719 effect=hang", "719", "other effects return no code"},
    {"effect=error calls=cuInit", "effect=error", "a fault needs xid= or error="},
    {"xid=79 sticky=maybe", "maybe", "expected yes, no or context"},
    {"effect=hang calls=@sync sticky=context", "context", "sticky=context needs a driver or runtime error"},
    {"error=NVML_ERROR_GPU_IS_LOST calls=nvmlDeviceGet* sticky=context", "context", "needs a driver or runtime error"},

    {"xid=79 process=" + repeated("p", 128), repeated("p", 128), "longer than 127 characters"},
    {"xid=79 process=/opt/train.py", "/opt/train.py", "expected a base name without a slash"},
    {"xid=79 process=./drv.py", "./drv.py", "expected a base name without a slash"},
    {std::string("xid=79 node=a\x01"), "a\x01", "without control characters"},
    {"xid=79 rank=-1", "-1", "from 0"},
    {"xid=79 rank=2147483648", "2147483648", "from 0"},
    {"xid=79 rank=0,3-2", "3-2", "a range such as 2-3"},
    {"xid=79 rank=" + repeated("7,", 16) + "99", "99", "more than 16 ranks"},
    {"xid=79 scope=world", "world", "expected run or process"},

    {repeated("xid=79;", 16) + "xid=48", "xid=48", "at most 16 faults"},
    {repeated(" ", 16384) + "xid=7", "xid=7", "at most 16384 bytes"},
};

TEST(Spec, ErrorsHaveAPositionAndAMessage) {
    for (const Refused& refused : kRefused) expect_refusal(refused);
}

TEST(Spec, BlankSpecHasNoFaults) {
    for (const char* spec : {"", "  ", "\n", ";", " ; ;", "#", "# xid=79; xid=48", " ,# a\n#b;\n;# c"})
        EXPECT_EQ(parsed(spec)->count, 0) << '"' << spec << '"';
    Plan plan;
    SpecError error;
    EXPECT_TRUE(parse_plan(Text(), plan, error));
    EXPECT_EQ(plan.count, 0);
}

// Returns the name of a function in its API's documentation: without ABI suffix, stream suffix and "__".
std::string documented_name(int row) {
    std::string name(function_name(row).data, function_name(row).size);
    for (const char* suffix : {"_ptsz", "_ptds"}) {
        if (name.size() > 5 && name.compare(name.size() - 5, 5, suffix) == 0) name.resize(name.size() - 5);
    }
    const size_t version = name.find_last_not_of("0123456789");
    if (version + 1 < name.size() && version > 1 && name.compare(version - 1, 2, "_v") == 0) name.resize(version - 1);
    return name.compare(0, 2, "__") == 0 ? name.substr(2) : name;
}

TEST(Calls, DocumentedNameMatchesEveryVariant) {
    std::map<std::string, std::vector<int>> spellings;
    for (int row = 0; row < kFunctionCount; ++row) {
        if (can_fail(kFunctions[row])) spellings[documented_name(row)].push_back(row);
    }
    Plan plan;
    SpecError error{};
    for (const auto& [name, rows] : spellings) {
        for (const std::string& glob : {name, name + "*"}) {
            const std::string spec = "effect=hang calls=" + glob;
            ASSERT_TRUE(parse_plan(Text(spec.data(), spec.size()), plan, error)) << spec << ": " << error.message;
            for (const int row : rows)
                EXPECT_TRUE(plan.faults[0].calls.has(row)) << spec << ": " << function_name(row).data;
        }
        int count = 0;
        const std::string spec = "effect=hang calls=" + name;
        ASSERT_TRUE(parse_plan(Text(spec.data(), spec.size()), plan, error)) << spec;
        for (int row = 0; row < kFunctionCount; ++row) count += plan.faults[0].calls.has(row);
        EXPECT_EQ(static_cast<size_t>(count), rows.size()) << spec << " must match only variants of the function";
    }
    EXPECT_TRUE(has_function(fault_of("error=719 calls=cudaLaunchKernel"), "__cudaLaunchKernel_ptsz"));
    EXPECT_TRUE(has_function(fault_of("error=719 calls=cudaLaunch*"), "__cudaLaunchKernel"));
    EXPECT_TRUE(has_function(fault_of("error=719 calls=cudaLaunchKerne?"), "__cudaLaunchKernel"));
    EXPECT_FALSE(has_function(fault_of("error=719 calls=__cudaLaunchKernel"), "cudaLaunchKernel"));
    EXPECT_TRUE(has_function(fault_of("error=719 calls=__cudaLaunchKernel"), "__cudaLaunchKernel_ptsz"));
}

bool is_inner_counted(const std::string& spec, const char* function) {
    return is_inner_call_counted(fault_of(spec), find_function(function));
}

TEST(Calls, IgnoresInnerCallsOnlyIfARuntimeFunctionOfTheirClassIsNamed) {
    EXPECT_TRUE(is_inner_counted("error=719 calls=cuLaunchKernel", "cuLaunchKernel"));
    EXPECT_FALSE(is_inner_counted("error=719 calls=cuLaunchKernel,cudaLaunchKernel", "cuLaunchKernel"));
    EXPECT_TRUE(is_inner_counted("error=719 calls=cuMemAlloc,cudaLaunchKernel", "cuMemAlloc_v2"));
    EXPECT_FALSE(is_inner_counted("error=719 calls=cuInit,cudaLaunchKernel", "cuInit"));
    for (int row = 0; row < kFunctionCount; ++row) {
        if (!kFunctions[row].simple_fails || kFunctions[row].api != Api::driver) continue;
        EXPECT_FALSE(is_inner_call_counted(fault_of("xid=79"), row)) << function_name(row).data;
    }
}

struct ImpossibleFault {
    const char* spec;
    const char* offender;
    const char* message;
};

TEST(Arming, RefusesFaultsThatCanNeverFire) {
    const Arming arming{seconds(1'000'000), 4};  // 1970-01-12T13:46:40Z
    const ImpossibleFault refused[] = {
        {"xid=79 until=1970-01-12T13:46:40Z", "1970-01-12T13:46:40Z", "is in the past, so the fault can never fire"},
        {"xid=79; xid=48 until=1970-01-02T00:00:00Z", "1970-01-02T00:00:00Z",
         "is in the past, so the fault can never fire"},
        {"xid=79 after=1h until=1970-01-12T14:46:40Z", "1h", "ends later than until="},
        {"xid=79 after=1h for=1s until=1970-01-12T14:00:00Z", "1h", "ends later than until="},
        {"xid=79 rank=4", "4", "is not among the 4 ranks"},
        {"xid=79 rank=5,7-9", "5,7-9", "expected 0 to 3"},
    };
    Plan plan;
    for (const ImpossibleFault& fault : refused) {
        const Text spec(fault.spec);
        SpecError error{};
        EXPECT_TRUE(parse_plan(spec, plan, error)) << fault.spec << ": valid without an Arming";
        ASSERT_FALSE(parse_plan(spec, plan, error, &arming)) << fault.spec;
        EXPECT_EQ(std::string(fault.spec).substr(error.position, error.length), fault.offender) << error.message;
        EXPECT_NE(std::string(error.message).find(fault.message), std::string::npos) << error.message;
    }
    const char* accepted[] = {"xid=79 until=1970-01-12T13:46:41Z",
                              "xid=79 after=1h until=1970-01-12T14:46:41Z",
                              "xid=79 after=60s for=30s",
                              "xid=79 after=1000 for=1us",
                              "xid=79 rank=3-9",
                              "xid=79 after=213503d"};
    for (const char* spec : accepted) {
        SpecError error{};
        EXPECT_TRUE(parse_plan(spec, plan, error, &arming)) << spec << ": " << error.message;
    }
    SpecError error{};
    const Arming unknown_job{seconds(1'000'000), 0};
    EXPECT_TRUE(parse_plan("xid=79 rank=4", plan, error, &unknown_job)) << error.message;
}

TEST(PlanFile, RevisionIsANumberOnTheFirstLine) {
    uint64_t revision = 0;
    for (const char* file : {"#7\nxid=79", "#7", "#7\n"}) {
        const Text spec = take_revision(file, revision);
        EXPECT_EQ(revision, 7u) << file;
        EXPECT_EQ(spec, Text(file).size > 3 ? Text("xid=79") : Text("")) << file;
    }
    for (const char* file : {"", "xid=79", "#\nxid=79", "#7x\nxid=79", "#-7\nxid=79", "# 7\nxid=79", "\n#7\nxid=79",
                             "#99999999999999999999\nxid=79"}) {
        revision = 1;
        EXPECT_EQ(take_revision(file, revision), Text(file)) << file;
        EXPECT_EQ(revision, 0u) << file;
    }
}

TEST(Spec, FaultsAreSeparatedBySemicolons) {
    const auto plan = parsed("xid=79 gpu=0; error=719 gpu=1 ,;xid=48;");
    ASSERT_EQ(plan->count, 3);
    EXPECT_EQ(plan->faults[0].code, 100);
    EXPECT_EQ(plan->faults[1].code, 719);
    EXPECT_EQ(plan->faults[1].gpus[0].number, 1u);
    EXPECT_EQ(plan->faults[2].code, 214);
    EXPECT_EQ(plan->faults[2].gpu_count, 0);
}

TEST(Spec, AcceptsPlansAtTheirLimits) {
    EXPECT_EQ(parsed(repeated("xid=79;", 16))->count, 16);
    EXPECT_EQ(fault_of("xid=79 gpu=" + repeated("7,", 16)).gpu_count, 16);
    EXPECT_EQ(std::string(fault_of("xid=79 process=" + repeated("p", 127)).process), repeated("p", 127));
}

TEST(Calls, IncludeOnlyFunctionsThatCanFail) {
    const Fault fault = fault_of("effect=hang calls=*");
    for (int row = 0; row < kFunctionCount; ++row) {
        EXPECT_EQ(fault.calls.has(row), can_fail(kFunctions[row])) << function_name(row).data;
    }
}

TEST(Spec, ErrorsQuoteShortenedPrintableText) {
    const std::string spec = "xid=79 \x1b[31m" + repeated("x", 300) + "=1";
    Plan plan;
    SpecError error;
    ASSERT_FALSE(parse_plan(Text(spec.data(), spec.size()), plan, error));
    const std::string message = error.message;
    EXPECT_NE(message.find("\"?[31mxxx"), std::string::npos) << message;
    EXPECT_NE(message.find("...\""), std::string::npos) << message;
    EXPECT_NE(message.find("scope"), std::string::npos) << "the list of keys must fit: " << message;
}

TEST(Plan, RejectsAListThatStartsWithAComment) {
    for (const char* spec : {"effect=hang calls=#x", "xid=79 gpu=#0", "xid=79 rank=#1"}) {
        Plan plan;
        SpecError error{};
        EXPECT_FALSE(parse_plan(spec, plan, error)) << spec;
    }
}

}  // namespace
}  // namespace cudafault
