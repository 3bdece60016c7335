// SPDX-License-Identifier: Apache-2.0
// The spec grammar: an example for each key, and each kind of refusal with its place.
#include "fault/plan.hpp"

#include <functional>
#include <vector>

#include "fault/fault_testing.hpp"

namespace cudafault {
namespace {

constexpr uint64_t seconds(uint64_t count) { return count * 1'000'000'000; }

bool names(const Fault& fault, const char* function) {
    const int row = find_function(function);
    EXPECT_GE(row, 0) << function << " is not in the table";
    return row >= 0 && fault.calls.has(row);
}

struct Accepted {
    const char* spec;
    std::function<bool(const Fault&)> holds;
};

const Accepted kAccepted[] = {
    {"xid=79", [](const Fault& f) { return f.xid == 79 && f.code == 100; }},
    {"xid=48", [](const Fault& f) { return f.code == 214; }},
    {"xid=94", [](const Fault& f) { return f.code == 214; }},
    {"xid=95", [](const Fault& f) { return f.code == 999; }},
    {"xid=43", [](const Fault& f) { return f.code == 702; }},
    {"xid=74", [](const Fault& f) { return f.code == 217; }},
    {"error=CUDA_ERROR_LAUNCH_FAILED", [](const Fault& f) { return f.xid == 0 && f.code == 719; }},
    {"error=cudaErrorNoDevice", [](const Fault& f) { return f.code == 100; }},
    {"error=719", [](const Fault& f) { return f.code == 719; }},
    {"error=9999", [](const Fault& f) { return f.code == 9999; }},
    {"error=NVML_ERROR_GPU_IS_LOST calls=nvmlDeviceGet*",
     [](const Fault& f) { return f.code == 15 && names(f, "nvmlDeviceGetMemoryInfo") && !names(f, "cuInit"); }},
    {"error=NVML_ERROR_GPU_IS_LOST calls=@device",
     [](const Fault& f) { return names(f, "nvmlDeviceGetMemoryInfo") && !names(f, "cuDeviceGetCount"); }},
    {"error=ncclUnhandledCudaError calls=ncclAllReduce", [](const Fault& f) { return names(f, "ncclAllReduce"); }},
    {"error=15 calls=nvmlDeviceGetMemoryInfo", [](const Fault& f) { return names(f, "nvmlDeviceGetMemoryInfo"); }},
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
         return names(f, "cuLaunchKernel") && names(f, "cuLaunchKernel_ptsz") && names(f, "cuMemAlloc_v2") &&
                names(f, "cuInit") && !names(f, "cuCtxSynchronize") && f.after_calls == 1;
     }},
    {"xid=79 calls=cuMemAlloc",
     [](const Fault& f) { return names(f, "cuMemAlloc_v2") && !names(f, "cuMemAllocAsync"); }},
    {"xid=79 calls=cuLaunchKernel_ptsz", [](const Fault& f) { return !names(f, "cuLaunchKernel"); }},
    {"xid=79 calls=@memory", [](const Fault& f) { return f.calls_name_runtime && names(f, "cudaMalloc"); }},
    {"xid=79 calls=cuMemAlloc*", [](const Fault& f) { return !f.calls_name_runtime; }},
    {"xid=79",
     [](const Fault& f) {
         return names(f, "cuInit") && names(f, "cudaMalloc") && !names(f, "cuMemFree_v2") &&
                !names(f, "cuGetErrorName") && !names(f, "nvmlInit_v2") && !names(f, "ncclAllReduce");
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
     [](const Fault& f) { return f.effect == Effect::delay && f.effect_value == seconds(6) && names(f, "cuInit"); }},
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
    {"xid=79 rank=3", [](const Fault& f) { return f.rank == 3; }},
    {"xid=79", [](const Fault& f) { return f.rank == -1 && f.process[0] == 0 && f.scope == Scope::process; }},
    {"xid=79 scope=run", [](const Fault& f) { return f.scope == Scope::run; }},
    {"\txid=79,gpu=1,,2\n", [](const Fault& f) { return f.xid == 79 && f.gpu_count == 2; }},
};

TEST(Spec, MeansWhatItSays) {
    for (const Accepted& accepted : kAccepted) EXPECT_TRUE(accepted.holds(fault_of(accepted.spec))) << accepted.spec;
}

struct Refused {
    std::string spec;
    std::string offender;  // the text the refusal points at, the first of its kind from `search_from`
    std::string message;   // part of what it says
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
    {"xid=79 gpus=0", "gpus", "unknown key 'gpus', expected one of xid, error"},
    {"xid=79;colour=red", "colour", "unknown key"},
    {"xid=79 =3", "", "unknown key ''", 7},
    {"hello", "hello", "is not key=value and continues no list"},
    {"xid=79 48", "48", "continues no list"},
    {"gpu=0;1 xid=79", "gpu=0", "needs xid= or error="},
    {"xid=79 gpu=0;1", "1", "continues no list", 13},
    {"xid=79 gpu=", "gpu=", "gpu= needs a value"},
    {"xid=79 after=1 after=2", "after=2", "after= is given twice"},
    {"gpu=0", "gpu=0", "a fault needs xid= or error="},

    {"xid=80", "80", "expected one of 43, 48, 74, 79, 94, 95"},
    {"xid=seventy", "seventy", "the number of an XID"},
    {"xid=99999999999999999999", "99999999999999999999", "the number of an XID"},
    {"error=CUDA_ERROR_NOPE", "CUDA_ERROR_NOPE", "a name such as CUDA_ERROR_LAUNCH_FAILED"},
    {"error=CUDA_SUCCESS", "CUDA_SUCCESS", "means success"},
    {"error=0", "0", "1 to 9999"},
    {"error=10000", "10000", "1 to 9999"},
    {"error=-1", "-1", "expected a number"},
    {"xid=79 error=719", "719", "exclude each other"},
    {"xid=79 model=realistic", "realistic", "model=realistic is not available yet, use model=simple"},
    {"xid=79 model=cheap", "cheap", "expected simple"},

    {"xid=79 gpu=256", "256", "expected 0 to 255"},
    {"xid=79 gpu=-1", "-1", "gpu= has '-1'"},
    {"xid=79 gpu=0,first", "first", "gpu= has 'first'"},
    {"xid=79 gpu=local:", "local:", "gpu= has"},
    {"xid=79 gpu=GPU-0102", "GPU-0102", "GPU-<uuid>"},
    {"xid=79 gpu=GPU-01020304-0506-0708-090a_0b0c0d0e0f10", "GPU-01020304-0506-0708-090a_0b0c0d0e0f10", "GPU-<uuid>"},
    {"xid=79 gpu=0000:65:20.0", "0000:65:20.0", "PCI id"},
    {"xid=79 gpu=0000:65:00.1", "0000:65:00.1", "PCI id"},
    {"xid=79 gpu=00010000:65:00.0", "00010000:65:00.0", "PCI id"},
    {"xid=79 gpu=all,0", "all", "stands alone"},
    {"xid=79 gpu=0 all", "all", "stands alone"},
    {"xid=79 gpu=" + repeated("7,", 16) + "99", "99", "more than 16 GPUs"},

    {"xid=79 calls=cuNoSuch*", "cuNoSuch*", "matches no function"},
    {"xid=79 calls=cuInit,@disk", "@disk", "expected a class out of @init @device"},
    {"xid=79 calls=cuGetProcAddress", "cuGetProcAddress", "only functions that never fail"},
    {"xid=79 calls=cudaGetErrorString", "cudaGetErrorString", "only functions that never fail"},
    {"xid=79 calls=nvmlInit*", "nvmlInit*",
     "cannot return 'CUDA_ERROR_NO_DEVICE'; name driver and runtime functions only"},
    {"xid=79 calls=*", "*", "cannot return"},
    {"calls=cuInit error=NVML_ERROR_GPU_IS_LOST", "cuInit", "name NVML functions only"},
    {"error=NVML_ERROR_GPU_IS_LOST", "NVML_ERROR_GPU_IS_LOST", "needs calls= with NVML functions"},
    {"error=ncclUnhandledCudaError", "ncclUnhandledCudaError", "needs calls= with NCCL functions"},
    {"error=ncclUnhandledCudaError calls=@ipc", "@ipc", "holds no NCCL function"},

    {"xid=79 after=soon", "soon", "a number of calls such as 100, or a duration such as 90s"},
    {"xid=79 after=1.5s", "1.5s", "a duration"},
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
    {"xid=79 mtbf=2h every=3", "3", "every= and mtbf= exclude each other"},
    {"xid=79 mtbf=2h probability=0.1", "0.1", "probability= and mtbf= exclude each other"},
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
    {"xid=79 effect=signal:FOO", "signal:FOO", "signal:KILL"},
    {"xid=79 effect=signal:65", "signal:65", "signal:KILL"},
    {"error=719 effect=hang", "719", "another effect returns no code"},
    {"effect=error calls=cuInit", "effect=error", "a fault needs xid= or error="},
    {"xid=79 sticky=maybe", "maybe", "expected yes, no or context"},
    {"effect=hang calls=@sync sticky=context", "context", "sticky=context needs an error of the driver or the runtime"},
    {"error=NVML_ERROR_GPU_IS_LOST calls=nvmlDeviceGet* sticky=context", "context", "needs an error of the driver"},

    {"xid=79 process=" + repeated("p", 128), repeated("p", 128), "longer than 127 characters"},
    {std::string("xid=79 node=a\x01"), "a\x01", "without control characters"},
    {"xid=79 rank=-1", "-1", "from 0"},
    {"xid=79 rank=2147483648", "2147483648", "from 0"},
    {"xid=79 scope=world", "world", "expected run or process"},

    {repeated("xid=79;", 16) + "xid=48", "xid=48", "at most 16 faults"},
    {repeated(" ", 16384) + "xid=7", "xid=7", "at most 16384 bytes"},
};

TEST(Spec, RefusalsNameThePlaceAndWhatWasExpected) {
    for (const Refused& refused : kRefused) expect_refusal(refused);
}

TEST(Spec, BlankMeansNoFaults) {
    for (const char* spec : {"", "  ", "\n", ";", " ; ;"}) EXPECT_EQ(parsed(spec)->count, 0) << '"' << spec << '"';
    Plan plan;
    SpecError error;
    EXPECT_TRUE(parse_plan(Text(), plan, error));
    EXPECT_EQ(plan.count, 0);
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

TEST(Spec, AllOfThePlanIsUsable) {
    EXPECT_EQ(parsed(repeated("xid=79;", 16))->count, 16);
    EXPECT_EQ(fault_of("xid=79 gpu=" + repeated("7,", 16)).gpu_count, 16);
    EXPECT_EQ(std::string(fault_of("xid=79 process=" + repeated("p", 127)).process), repeated("p", 127));
}

TEST(Spec, ACallSelectorTakesOnlyFunctionsThatReturnACode) {
    const Fault fault = fault_of("effect=hang calls=*");
    for (int row = 0; row < kFunctionCount; ++row) {
        EXPECT_EQ(fault.calls.has(row), can_fail(kFunctions[row])) << function_name(row).data;
    }
}

TEST(Spec, MessagesShowOutsideTextShortenedAndPrintable) {
    const std::string spec = "xid=79 \x1b[31m" + repeated("x", 300) + "=1";
    Plan plan;
    SpecError error;
    ASSERT_FALSE(parse_plan(Text(spec.data(), spec.size()), plan, error));
    const std::string message = error.message;
    EXPECT_NE(message.find("'?[31mxxx"), std::string::npos) << message;
    EXPECT_NE(message.find("...'"), std::string::npos) << message;
    EXPECT_NE(message.find("scope"), std::string::npos) << "the list of keys must fit: " << message;
}

}  // namespace
}  // namespace cudafault
