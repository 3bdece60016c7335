// SPDX-License-Identifier: Apache-2.0
// Implements the code generator, which the CMake build runs. `cudafault-codegen VERB DATA OUTPUT` writes one file from
// the tables in data/.
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

#include "codegen/cudart.hpp"
#include "codegen/simgpu.hpp"
#include "codegen/writers.hpp"

namespace {

using namespace cudafault::codegen;
using Path = std::filesystem::path;

struct Verb {
    std::string_view name;
    void (*write)(const Path& data, std::ostream& out);
};

// The sonames of the simulated runtimes.
constexpr char k11[] = "11.0", k12[] = "12", k13[] = "13";

template <const char* soname>
void write_cudart_stubs(const Path& data, std::ostream& out) {
    write_sim_cudart_stubs(data, soname, out);
}

template <const char* soname>
void write_cudart_map(const Path& data, std::ostream& out) {
    write_sim_cudart_map(data, soname, out);
}

constexpr Verb kVerbs[] = {
    {"functions", write_functions},
    {"version-script", write_version_script},
    {"xids", write_xids},
    {"xid-catalog", write_xid_catalog},
    {"gpu-features", write_gpu_features},
    {"errors", write_errors},
    {"one-file", write_one_file},
    {"functions-doc", write_functions_doc},
    {"xids-doc", write_xids_doc},
    {"sim-cudart-stubs-11.0", write_cudart_stubs<k11>},
    {"sim-cudart-stubs-12", write_cudart_stubs<k12>},
    {"sim-cudart-stubs-13", write_cudart_stubs<k13>},
    {"sim-cudart-map-11.0", write_cudart_map<k11>},
    {"sim-cudart-map-12", write_cudart_map<k12>},
    {"sim-cudart-map-13", write_cudart_map<k13>},
    {"gpus", [](const Path& data, std::ostream& out) { write_gpus(data / "gpus.yaml", out); }},
    {"sim-driver", [](const Path& data, std::ostream& out) { write_sim_driver(data / "cuda_driver.tsv", out); }},
    {"sim-nvml", [](const Path& data, std::ostream& out) { write_sim_nvml(data / "nvml.tsv", out); }},
};

const Verb* find_verb(std::string_view name) {
    for (const Verb& verb : kVerbs) {
        if (verb.name == name) return &verb;
    }
    return nullptr;
}

int usage() {
    std::fputs("usage: cudafault-codegen VERB DATA-DIRECTORY OUTPUT-FILE, where VERB is one of\n", stderr);
    for (const Verb& verb : kVerbs) std::fprintf(stderr, "  %s\n", std::string(verb.name).c_str());
    return 2;
}

std::string content_of(const Path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Generates the whole text before writing it, so that invalid data never leaves an incomplete file. Does not write a
// file that would not change, so that its modification time does not cause a rebuild.
void generate(const Verb& verb, const Path& data, const Path& output) {
    std::ostringstream text;
    verb.write(data, text);
    if (std::filesystem::exists(output) && content_of(output) == text.str()) return;
    if (output.has_parent_path()) std::filesystem::create_directories(output.parent_path());
    std::ofstream file(output, std::ios::binary);
    file << text.str();
    file.close();
    if (!file) throw std::runtime_error("cannot write " + output.string());
}

}  // namespace

int main(int argc, char** argv) {
    const Verb* verb = argc == 4 ? find_verb(argv[1]) : nullptr;
    if (!verb) return usage();
    try {
        generate(*verb, argv[2], argv[3]);
        return 0;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "cudafault-codegen: %s\n", e.what());
        return 1;
    }
}
