// SPDX-License-Identifier: Apache-2.0
// Tests that the generator writes sorted tables, and refuses invalid data with file and line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "catalog/entry_json.hpp"
#include "codegen/api_table.hpp"
#include "codegen/tsv.hpp"
#include "codegen/writers.hpp"

namespace cudafault::codegen {
namespace {

const std::string kHeader = "export\tsymbol\tversion\tmode\tsince\tsonames\tclass\tdevice\treturns\tsimple\tsource\n";
const std::string kDriverRow = "cuInit\tcuInit\t2000\tany\t11.8\t-\tinit\tnone\tstatus\tfail\tcuda.h\n";
const std::string kRuntimeRow = "cudaFree\tcudaFree\t-\tany\t11.8\t11.0,13\tmemory\tpointer:0\tstatus\tpass\trt.h\n";
const std::string kSources = "sources:\n  s: https://example.org/s\nxids:\n";
const std::string kProvenance = "source: s, confidence: observed}\n";
const std::string kXid =
    "- number: 7\n  depth: full\n  mnemonic: M\n  title: T\n"
    "  scope: {who: gpu, text: all, source: s, confidence: inferred}\n"
    "  recovery: {immediate: A, next: B, " +
    kProvenance +
    "  running: {pattern: asynchronous, codes: {\"0\": CUDA_ERROR_X, \"12.8\": CUDA_ERROR_Y}, lasts: process, " +
    kProvenance + "  new_process: {pattern: context, codes: {\"0\": CUDA_ERROR_Y}, " + kProvenance +
    "  others: {pattern: none, " + kProvenance + "  heals_by: {means: reset, " + kProvenance +
    "  nvml: {state: reset_required, event: yes, counters: [ecc_dram], " + kProvenance +
    "  action: {value: gpu_reset, " + kProvenance +
    "  log:\n  - {form: xid, owner: process, texts: {\"515\": \"old\", \"580\": \"new\"}, " + kProvenance;
const std::string kReservedXid = "- number: 9\n  depth: reserved\n  mnemonic: R\n  title: U\n  reason: unused\n";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

class CodegenTest : public testing::Test {
protected:
    CodegenTest()
        : data(std::filesystem::path(testing::TempDir()) / ("cudafault-codegen-" + std::to_string(getpid()))) {
        std::filesystem::create_directories(data);
        write("cuda_driver.tsv", "# a comment\n" + kHeader + kDriverRow);
        write("cuda_runtime.tsv", kHeader + kRuntimeRow);
        write("nvml.tsv", kHeader);
        write("nccl.tsv", kHeader);
        write("xids.yaml", kSources + kXid);
        write("errors.tsv",
              "api\tname\tcode\nnvml\tNVML_ERROR_X\t5\ndriver\tCUDA_ERROR_X\t5\ndriver\tCUDA_ERROR_Y\t6\n");
    }
    ~CodegenTest() override { std::filesystem::remove_all(data); }

    void write(const std::string& name, const std::string& text) { std::ofstream(data / name) << text; }

    std::string written_by(void (*writer)(const std::filesystem::path&, std::ostream&)) {
        std::ostringstream out;
        writer(data, out);
        return out.str();
    }

    // Returns the error message of the writer, without the directory.
    std::string error_of(void (*writer)(const std::filesystem::path&, std::ostream&)) {
        try {
            return "(no error) " + written_by(writer);
        } catch (const DataError& e) {
            return std::string(e.what()).substr(data.string().size() + 1);
        }
    }

    std::filesystem::path data;
};

TEST_F(CodegenTest, WritesARowPerSoname) {
    EXPECT_EQ(written_by(write_functions),
              "// Generated from data/*.tsv by cudafault-codegen; do not edit.\n"
              "CUDAFAULT_ROW(cuInit, 0, driver, init, none, 0, enumerate, 1, 1, 0, 2000, 1)\n"
              "CUDAFAULT_ROW(cudaFree, 0, runtime, memory, pointer, 0, none, 1, 0, 0, 0, 0)\n"
              "CUDAFAULT_ROW(cudaFree, 2, runtime, memory, pointer, 0, none, 1, 0, 0, 0, 1)\n");
}

TEST_F(CodegenTest, WritesTheDeviceArgumentOfCudaFunctions) {
    const std::pair<std::string, std::string> kinds[] = {
        {"-", "current, 0"},
        {"unread", "unread, 0"},
        {"location:2", "location, 2"},
        {"location_value:3", "location_value, 3"},
        {"properties:1", "properties, 1"},
        {"copy:0,2", "copy, 32"},
    };
    for (const auto& [column, row] : kinds) {
        write("cuda_driver.tsv", kHeader + replaced(kDriverRow, "\tnone\t", "\t" + column + "\t"));
        EXPECT_THAT(written_by(write_functions), testing::HasSubstr("driver, init, " + row + ",")) << column;
    }
}

TEST_F(CodegenTest, ColumnsMayBeInAnyOrder) {
    write("errors.tsv", "# names\ncode\tsource\tname\tapi\n5\theader\tNVML_ERROR_X\tnvml\n");
    EXPECT_NE(written_by(write_errors).find("CUDAFAULT_ERROR(nvml, 5, \"NVML_ERROR_X\")"), std::string::npos);
}

TEST_F(CodegenTest, RefusesInvalidRowsWithFileAndLine) {
    struct InvalidRow {
        std::string from, to, message;
    };
    const InvalidRow invalid_rows[] = {
        {"\tinit\t", "\tinitial\t", "invalid class 'initial'"},
        {"\tany\t", "\tsome\t", "invalid mode 'some': expected per_thread or any"},
        {"\tfail\t", "\tmaybe\t", "invalid simple 'maybe': expected fail or pass"},
        {"\tstatus\t", "\tvoid\t", "expected pass, because the function returns no status"},
        {"\tnone\t", "\tstream\t", "invalid device 'stream'"},
        {"\tnone\t", "\tstream:16\t", "invalid device 'stream:16'"},
        {"\tnone\t", "\tlane:1\t", "invalid device 'lane:1'"},
        {"\tnone\t", "\tcopy:0\t", "invalid device 'copy:0'"},
        {"\tnone\t", "\tcopy:0,16\t", "invalid device 'copy:0,16'"},
        {"\tnone\t", "\tpointer:0,1\t", "invalid device 'pointer:0,1'"},
        {"\t2000\t", "\t70000\t", "invalid version '70000'"},
        {"\t-\t", "\t12\t", "expected - for a function that is not in the runtime"},
        {"cuInit\t", "cu-Init\t", "expected a symbol name"},
        {"\tcuda.h", "", "has 10 fields, expected 11"},
        {"\tany\t", "\t\t", "column mode is empty"},
    };
    for (const InvalidRow& invalid : invalid_rows) {
        write("cuda_driver.tsv", "# a comment\n" + kHeader + replaced(kDriverRow, invalid.from, invalid.to));
        const std::string found = error_of(write_functions);
        EXPECT_EQ(found.rfind("cuda_driver.tsv:3: ", 0), 0u) << found;
        EXPECT_NE(found.find(invalid.message), std::string::npos) << found;
    }
}

TEST_F(CodegenTest, RefusesInconsistentRows) {
    write("nvml.tsv", kHeader + replaced(kDriverRow, "\t2000\t", "\t-\t"));
    EXPECT_NE(error_of(write_functions).find("does not affect NVML and NCCL"), std::string::npos);
    write("nvml.tsv", kHeader);
    write("cuda_driver.tsv", kHeader + kDriverRow + kDriverRow);
    EXPECT_EQ(error_of(write_functions).rfind("cuda_driver.tsv:", 0), 0u) << error_of(write_functions);
    EXPECT_NE(error_of(write_functions).find("cuInit is already defined in "), std::string::npos);
    write("cuda_driver.tsv", kHeader);
    write("cuda_runtime.tsv", kHeader + replaced(kRuntimeRow, "11.0,13", "11.0,14"));
    EXPECT_NE(error_of(write_functions).find("cuda_runtime.tsv:2: invalid sonames"), std::string::npos);
}

TEST_F(CodegenTest, WritesTheDeviceArgumentOfNvmlFunctions) {
    const auto nvml = [&](const std::string& device) {
        return "nvmlX\tnvmlX\t-\tany\t11.8\t-\tdevice\t" + device + "\tstatus\tpass\tnvml.h\n";
    };
    const std::pair<std::string, std::string> kinds[] = {
        {"handle:1", "handle, 1"},     {"index:0", "lookup, 0"},
        {"uuid:0", "lookup, 0"},       {"pci:0", "lookup, 0"},
        {"pci_info:0", "pci_info, 0"}, {"serial:0", "lookup, 0"},
        {"unit:0", "none, 0"},         {"gpu_instance:0", "gpu_instance"},
        {"vgpu_type:0", "none, 0"},    {"vgpu_instance:1", "none"},
        {"none", "none, 0"},
    };
    for (const auto& [column, row] : kinds) {
        write("nvml.tsv", kHeader + nvml(column));
        EXPECT_NE(written_by(write_functions).find("nvml, device, " + row), std::string::npos) << column;
    }
    for (const char* bad : {"-", "unread", "device:0", "context:0", "handle", "handle:16", "thing:0"}) {
        write("nvml.tsv", kHeader + nvml(bad));
        EXPECT_NE(error_of(write_functions).find("nvml.tsv:2: invalid device '"), std::string::npos) << bad;
    }
}

TEST_F(CodegenTest, RefusesMissingColumnsAndFiles) {
    write("nccl.tsv", replaced(kHeader, "\tclass", "\tkind"));
    EXPECT_EQ(error_of(write_functions), "nccl.tsv:1: column class is missing");
    write("nccl.tsv", "");
    EXPECT_EQ(error_of(write_functions), "nccl.tsv: the header line is missing");
    std::filesystem::remove(data / "nccl.tsv");
    EXPECT_EQ(error_of(write_functions), "nccl.tsv: cannot read the file");
}

TEST_F(CodegenTest, HooksAreAssignedByName) {
    EXPECT_EQ(hook_of("__cudaRegisterFatBinaryEnd"), "registration");
    EXPECT_EQ(hook_of("__cudaUnregisterFatBinary"), "registration");
    EXPECT_EQ(hook_of("__cudaInitModule"), "registration");
    EXPECT_EQ(hook_of("cuGetProcAddress_v2"), "resolver");
    EXPECT_EQ(hook_of("cudaGetDriverEntryPointByVersion_ptsz"), "resolver");
    EXPECT_EQ(hook_of("cudaPeekAtLastError"), "last_error");
    EXPECT_EQ(hook_of("cudaGetDeviceCount"), "enumerate");
    EXPECT_EQ(hook_of("cuInit"), "enumerate");
    EXPECT_EQ(hook_of("cuDeviceGetCountOfSomething"), "none");
    EXPECT_EQ(hook_of("__cudaPushCallConfiguration"), "none");
}

TEST_F(CodegenTest, WritesXids) {
    write("xids.yaml", kSources + kXid + kReservedXid);
    const std::string table = written_by(write_xids);
    EXPECT_NE(table.find("CUDAFAULT_XID(7, 5, \"CUDA_ERROR_X\", \"T\", 0)\n"), std::string::npos) << table;
    EXPECT_NE(table.find("CUDAFAULT_XID(9, 0, \"\", \"unused\", 1)\n"), std::string::npos) << table;
    const std::string page = written_by(write_xids_doc);
    EXPECT_NE(page.find("## 7 T\n"), std::string::npos) << page;
    EXPECT_EQ(page.find("## 9"), std::string::npos) << page;
}

TEST_F(CodegenTest, WritesTheXidCatalogAsOneJsonList) {
    write("xids.yaml", kSources + kXid + kReservedXid);
    const std::string literals = written_by(write_xid_catalog);
    std::string text;
    for (size_t at = 0; (at = literals.find("R\"json(", at)) != std::string::npos;) {
        at += std::string("R\"json(").size();
        const size_t end = literals.find(")json\"", at);
        text += literals.substr(at, end - at);
    }
    const auto entries = nlohmann::json::parse(text + "]").get<std::vector<catalog::Entry>>();
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(entries[0].running.codes.back().cuda, "12.8");
    EXPECT_EQ(entries[0].running.codes.back().number, 6);
    EXPECT_EQ(entries[0].log[0].texts.back().branch, 580u);
    EXPECT_EQ(entries[0].scope.provenance.sources[0], "https://example.org/s");
    EXPECT_EQ(entries[1].reason, "unused");
}

TEST_F(CodegenTest, RefusesXidsThatAreInvalidOrContradictThemselves) {
    struct Refusal {
        std::string from, to, message;
    };
    const Refusal refusals[] = {
        {"title", "titel", "xids.yaml:7: unknown key 'titel'"},
        {"  title: T\n", "", "xids.yaml:4: key 'title' is missing"},
        {"confidence: inferred", "confidence: rumored",
         "xids.yaml:8: invalid confidence 'rumored': expected one of documented, observed, inferred"},
        {"all, source: s, ", "all, ", "xids.yaml:8: key 'source' is missing"},
        {"all, source: s", "all, source: t", "xids.yaml:8: invalid source 't': expected a URL or a name of `sources`"},
        {"{\"0\": CUDA_ERROR_X", "{\"0\": CUDA_ERROR_Z",
         "xids.yaml:10: unknown error 'CUDA_ERROR_Z': expected a driver error of errors.tsv"},
        {"\"0\": CUDA_ERROR_X, ", "", "xids.yaml:10: expected a first code with the CUDA version \"0\""},
        {"pattern: none", "pattern: none, codes: {}", "xids.yaml:12: pattern none has no codes"},
        {"pattern: none", "pattern: some",
         "xids.yaml:12: invalid pattern 'some': expected one of none, asynchronous, context, init, missing"},
        {"ecc_dram", "ecc_ram", "xids.yaml:14: invalid item 'ecc_ram' of 'counters'"},
        {"\"515\"", "\"590\"", "xids.yaml:17: driver branches must be in ascending order"},
        {"means: reset", "means: restart", "xids.yaml:13: 'restart' does not end the state 'reset_required'"},
        {"state: reset_required", "state: healthy", "xids.yaml:13: a healthy GPU needs no 'reset'"},
        {"state: reset_required", "state: lost", "xids.yaml:13: 'reset' does not end the state 'lost'"},
        {"\"12.8\"", "\"0.0\"", "xids.yaml:10: CUDA versions must be in ascending order"},
        {"lasts: process", "lasts: process, stall: long",
         "xids.yaml:10: invalid stall 'long': expected a duration such as 100ms or 6s"},
        {"form: xid", "form: driver", "xids.yaml:17: expected at least one line of form xid"},
        {"depth: full", "depth: nvml", "xids.yaml:8: depth nvml does not use 'scope'"},
        {"who: gpu", "who: process", "xids.yaml:8: scope process contradicts the state 'reset_required'"},
    };
    for (const Refusal& refusal : refusals) {
        write("xids.yaml", kSources + replaced(kXid, refusal.from, refusal.to));
        EXPECT_EQ(error_of(write_xids), refusal.message);
    }
    write("xids.yaml", kSources + kXid + kXid);
    EXPECT_EQ(error_of(write_xids), "xids.yaml:18: XIDs must be in ascending order");
    write("xids.yaml", kSources + kXid + "  follow_ups:\n  - {xid: 9, delay: 1s, " + kProvenance + kReservedXid);
    EXPECT_EQ(error_of(write_xids), "xids.yaml: XID 7 is followed by XID 9, which has no entry that can be injected");
    write("xids.yaml", "- [");
    EXPECT_EQ(error_of(write_xids).rfind("xids.yaml:", 0), 0u);
}

TEST_F(CodegenTest, RefusesInvalidRowsOfErrorTable) {
    write("errors.tsv", "api\tname\tcode\ncuda\tX\t5\n");
    EXPECT_EQ(error_of(write_errors), "errors.tsv:2: invalid api 'cuda': expected driver, runtime, nvml or nccl");
    write("errors.tsv", "api\tname\tcode\nnvml\tX\t5x\n");
    EXPECT_EQ(error_of(write_errors), "errors.tsv:2: invalid code '5x': expected a number");
}

TEST_F(CodegenTest, VersionScriptStartsWithAnEmptyNode) {
    const std::string script = written_by(write_version_script);
    const std::string nodes = script.substr(script.find('\n') + 1);
    EXPECT_EQ(nodes, "CUDAFAULT_BASE { };\nlibcudart.so.11.0 { };\nlibcudart.so.12 { };\nlibcudart.so.13 { };\n");
}

}  // namespace
}  // namespace cudafault::codegen
