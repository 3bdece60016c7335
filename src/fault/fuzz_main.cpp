// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer. `fuzz-x RUNS CORPUS-DIRECTORY` replays each file of the corpus and then runs
// RUNS mutations of those files. The mutations are the same in every run.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Random = std::mt19937_64;

void run(const std::string& input) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

std::vector<std::string> read_corpus(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> files(std::filesystem::directory_iterator(directory), {});
    std::sort(files.begin(), files.end());
    std::vector<std::string> corpus;
    for (const auto& path : files) {
        std::ifstream file(path, std::ios::binary);
        corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return corpus;
}

size_t below(Random& random, size_t limit) { return limit == 0 ? 0 : random() % limit; }

void mutate(std::string& text, const std::vector<std::string>& corpus, Random& random) {
    const size_t at = below(random, text.size());
    const std::string& other = corpus[below(random, corpus.size())];
    switch (random() % 5) {
        case 0: text.insert(at, 1, static_cast<char>(random())); break;
        case 1: text.erase(at, 1 + below(random, 8)); break;
        case 2:
            if (!text.empty()) text[at] = static_cast<char>(random());
            break;
        case 3: text.insert(at, other, below(random, other.size()), 1 + below(random, 16)); break;
        case 4:
            if (!text.empty()) text[at] = static_cast<char>(text[at] ^ 1 << random() % 8);
            break;
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s RUNS CORPUS-DIRECTORY\n", argv[0]);
        return 2;
    }
    const std::vector<std::string> corpus = read_corpus(argv[2]);
    if (corpus.empty()) {
        std::fprintf(stderr, "%s: no files in %s\n", argv[0], argv[2]);
        return 2;
    }
    for (const std::string& input : corpus) run(input);
    Random random(1);
    const long runs = std::strtol(argv[1], nullptr, 10);
    for (long i = 0; i < runs; ++i) {
        std::string input = corpus[below(random, corpus.size())];
        for (size_t changes = 1 + random() % 6; changes > 0; --changes) mutate(input, corpus, random);
        run(input);
    }
    std::printf("%zu files and %ld mutations\n", corpus.size(), runs);
    return 0;
}
