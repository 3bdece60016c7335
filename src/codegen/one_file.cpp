// SPDX-License-Identifier: Apache-2.0
// Writes the fault library as one source file, which an init container compiles in its pod with g++ 9 or newer.
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "codegen/tsv.hpp"
#include "codegen/writers.hpp"

namespace cudafault::codegen {

namespace {

using Path = std::filesystem::path;

constexpr const char* kSourceFolders[] = {"src/fault", "src/preload"};
constexpr const char* kIncludeFolders[] = {"src", "include"};
constexpr const char* kTable = "functions.inc";  // becomes a macro, because the sources include it many times

const std::map<std::string, void (*)(const Path&, std::ostream&)> kGenerated = {{"xids.inc", write_xids},
                                                                                {"errors.inc", write_errors}};

constexpr const char* kHead =
    "// SPDX-License-Identifier: Apache-2.0\n"
    "// libcudafault.so in one file, generated from the sources of cudafault; do not edit. To compile it:\n"
    "//   echo 'CUDAFAULT_BASE{};libcudart.so.11.0{};libcudart.so.12{};libcudart.so.13{};' >cudafault.map\n"
    "//   g++ -std=c++17 -O2 -fPIC -shared -nostdlib -fvisibility=hidden -fno-exceptions -fno-rtti "
    "-fno-threadsafe-statics\\\n"
    "//       -fno-stack-protector -fno-asynchronous-unwind-tables -Wl,--version-script=cudafault.map -Wl,-z,now\\\n"
    "//       -o libcudafault.so THIS_FILE\n"
    "// On aarch64 add -mno-outline-atomics.\n"
    "#undef _FORTIFY_SOURCE\n"  // fortified functions would be imported from libc
    "#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11\n"
    "#pragma GCC optimize(\"no-ipa-modref\")\n"  // see src/preload/CMakeLists.txt
    "#endif\n";

// Returns NAME of a line `#include "NAME"`, or an empty string for any other line.
std::string included_name(const std::string& line) {
    const std::string start = "#include \"";
    if (!line.starts_with(start) || line.back() != '"') return {};
    return line.substr(start.size(), line.size() - start.size() - 1);
}

// Returns true if the line contains only a comment. The writer omits comments, because the size of the file is limited
// and comments would make up a tenth of it.
bool is_comment(const std::string& line) {
    const size_t start = line.find_first_not_of(' ');
    return start != std::string::npos && line.compare(start, 2, "//") == 0;
}

// Removes the comment after the code of a line. Keeps a comment that contains a quote, because it may be part of a
// string literal.
std::string without_trailing_comment(const std::string& line) {
    const size_t comment = line.find("  // ");
    const bool is_found = comment != std::string::npos && line.find('"', comment) == std::string::npos;
    return line.substr(0, is_found ? comment : line.size());
}

class OneFile {
public:
    OneFile(const Path& data, std::ostream& out) : data_(data), root_(data.parent_path()), out_(out) {}

    void write() {
        out_ << kHead;
        write_table();
        for (const char* folder : kSourceFolders) {
            std::set<Path> sources;
            for (const auto& entry : std::filesystem::recursive_directory_iterator(root_ / folder)) {
                const std::string name = entry.path().filename().string();
                const bool tests = name.ends_with("_test.cpp") || name.find("fuzz") != std::string::npos;
                if (name.ends_with(".cpp") && !tests) sources.insert(entry.path());
            }
            for (const Path& source : sources) add(source);
        }
    }

private:
    // Uses a short macro name, because the table makes up a third of the file.
    void write_table() {
        std::ostringstream rows;
        write_functions(data_, rows);
        out_ << "#define ROW CUDAFAULT_ROW\n#define CUDAFAULT_ROWS ";
        std::istringstream in(rows.str());
        for (std::string line; std::getline(in, line);) {
            if (line.starts_with("//")) continue;
            std::erase(line, ' ');
            out_ << "\\\n" << line.substr(std::string_view("CUDAFAULT_").size());
        }
        out_ << "\n";
    }

    void add(const Path& file) {
        if (!added_.insert(file.lexically_normal()).second) return;
        std::ifstream in(file);
        if (!in) throw DataError(file, 0, "cannot read the file");
        for (std::string line; std::getline(in, line);) add_line(line);
    }

    void add_line(const std::string& line) {
        if (line == "#pragma once" || is_comment(line)) return;
        const std::string name = included_name(line);
        if (name.empty()) {
            out_ << without_trailing_comment(line) << "\n";
        } else if (name == kTable) {
            out_ << "CUDAFAULT_ROWS\n";
        } else if (const auto found = kGenerated.find(name); found != kGenerated.end()) {
            found->second(data_, out_);
        } else {
            add(locate(name));
        }
    }

    Path locate(const std::string& name) const {
        for (const char* folder : kIncludeFolders) {
            if (std::filesystem::exists(root_ / folder / name)) return root_ / folder / name;
        }
        throw DataError(root_, 0, "does not contain " + name);
    }

    const Path& data_;
    const Path root_;
    std::ostream& out_;
    std::set<Path> added_;
};

}  // namespace

void write_one_file(const Path& data, std::ostream& out) { OneFile(data, out).write(); }

}  // namespace cudafault::codegen
