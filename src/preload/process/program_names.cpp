// SPDX-License-Identifier: Apache-2.0
#include "preload/process/program_names.hpp"

#include "fault/text_builder.hpp"
#include "fault/words.hpp"
#include "os/process_stat.hpp"
#include "preload/process/procfs.hpp"
#include "preload/resolve/elf.hpp"

namespace cudafault {

namespace {

enum Style : unsigned {
    kLongWords = 1,       // a single hyphen begins a long option
    kShell = 2,           // + begins an option too, and a single hyphen ends the options
    kSeparateValues = 4,  // the value of a short option is always the next word
};

// Describes the command line of an interpreter up to its script. Each list contains words separated by spaces. A short
// option (-x) may share its word with others, and its value may follow in the same word or be the next word. The value
// of a long option (--option, and Java's -option) is the next word or follows '='.
struct Interpreter {
    const char* names;     // a name may be followed by a version, as in python3.11
    const char* valued;    // options with a value
    const char* attached;  // short options whose value, if any, is the rest of the word
    const char* naming;    // options whose value is the script
    const char* code;      // options whose value is source text, so that the process has no script
    const char* skipped;   // globs for other words that precede the script
    unsigned style;
};

constexpr Interpreter kInterpreters[] = {
    {"python pypy", "-W -X -Q --check-hash-based-pycs --jit", "", "-m", "-c", "", 0},
    {"java",
     "-cp -classpath --class-path -p --module-path --upgrade-module-path --add-modules --add-exports --add-opens "
     "--add-reads --limit-modules --patch-module --enable-native-access --source -d --describe-module",
     "", "-jar -m --module", "", "@*", kLongWords},
    {"node nodejs",
     "-r --require --import --loader --experimental-loader -C --conditions --title --input-type --env-file "
     "--env-file-if-exists --icu-data-dir --openssl-config --redirect-warnings --trace-event-categories "
     "--trace-event-file-pattern --trace-require-module --unhandled-rejections --disable-warning --disable-proto "
     "--dns-result-order --diagnostic-dir --report-dir --report-directory --report-filename --report-signal "
     "--heapsnapshot-signal --heapsnapshot-near-heap-limit --heap-prof-dir --heap-prof-name --heap-prof-interval "
     "--cpu-prof-dir --cpu-prof-name --cpu-prof-interval --inspect-port --debug-port --inspect-publish-uid "
     "--max-http-header-size --network-family-autoselection-attempt-timeout --experimental-default-type "
     "--experimental-config-file --experimental-policy --policy-integrity --experimental-sea-config "
     "--build-snapshot-config --snapshot-blob --allow-fs-read --allow-fs-write --localstorage-file --secure-heap "
     "--secure-heap-min --security-revert --security-reverts --tls-cipher-list --tls-keylog --use-largepages "
     "--v8-pool-size --watch-path --watch-kill-signal --test-reporter --test-reporter-destination "
     "--test-name-pattern --test-skip-pattern --test-concurrency --test-timeout --test-shard --test-isolation "
     "--test-global-setup --test-coverage-include --test-coverage-exclude --test-coverage-lines "
     "--test-coverage-branches --test-coverage-functions",
     "", "", "-e --eval -p --print --run", "inspect", 0},
    {"bash sh dash", "-o -O --rcfile --init-file", "", "", "-c -s",
     "-login -noediting -noprofile -norc -posix -restricted -verbose", kShell | kSeparateValues},
    {"zsh ksh", "-o --emulate", "", "", "-c -s", "", kShell},
    {"perl", "-I", "-C -D -F -i -m -M -V -x", "", "-e -E", "", 0},
    {"ruby",
     "-I -r -C -X -E --encoding --external-encoding --internal-encoding --enable --disable --dump --parser "
     "--backtrace-limit --crash-report",
     "-F -i -K -T -x", "", "-e", "", 0},
    {"julia",
     "-J --sysimage -H --home -L --load -p --procs -t --threads -C --cpu-target --machine-file --startup-file "
     "--history-file --handle-signals --banner --color --compile --compiled-modules --pkgimages --depwarn "
     "--check-bounds --math-mode --inline --heap-size-hint --gcthreads --bug-report --bind-to --trace-compile",
     "", "-m --module", "-e --eval -E --print", "+*", 0},
    {"R Rscript", "-g --gui -d --debugger --arch --encoding --max-ppsize --min-nsize --min-vsize", "", "-f --file",
     "-e --args", "CMD BATCH", 0},
    {"php", "-d --define -c --php-ini -z --zend-extension -t --docroot -S --server", "", "-f --file -F --process-file",
     "-r --run -B --process-begin -R --process-code -E --process-end", "", 0},
    {"lua luajit", "-e -l -j", "-O", "", "", "", 0},
};

// Returns true if the text is empty or is a version number, optionally with a suffix, such as 3.13t.
bool is_version(Text text) {
    size_t start = 0;
    while (start < text.size && (text[start] == '-' || text[start] == '.')) ++start;
    return text.empty() || (start < text.size && text[start] >= '0' && text[start] <= '9');
}

const Interpreter* find_interpreter(Text program) {
    for (const Interpreter& interpreter : kInterpreters) {
        Text names(interpreter.names);
        for (Text name = next_word(names); !name.empty(); name = next_word(names)) {
            if (starts_with(program, name) && is_version(program.from(name.size))) return &interpreter;
        }
    }
    return nullptr;
}

// Returns true if a glob in the list matches the word.
bool contains_word(const char* list, Text word) {
    Text rest(list);
    for (Text glob = next_word(rest); !glob.empty(); glob = next_word(rest)) {
        if (glob_match(glob, word)) return true;
    }
    return false;
}

void copy_base_name(Text path, char (&out)[kMaxGlob]) {
    while (path.size > 1 && path[path.size - 1] == '/') --path.size;
    const Text name = base_name_of(path);
    size_t size = 0;
    for (; size + 1 < kMaxGlob && size < name.size; ++size) out[size] = name[size];
    out[size] = '\0';
}

class CommandLine {
public:
    explicit CommandLine(Text text) : rest_(text) {}

    bool is_at_end() const { return rest_.empty(); }
    Text next() {
        const size_t end = find(rest_, '\0');
        const Text word = rest_.first(end);
        rest_ = rest_.from(end < rest_.size ? end + 1 : end);
        return word;
    }

private:
    Text rest_;
};

// The meaning of a word of the command line: an option that does not determine the script, the script, or source text
// that replaces a script.
struct WordMeaning {
    enum Kind { option, script, code } kind;
    Text text;
};

class OptionReader {
public:
    OptionReader(const Interpreter& interpreter, CommandLine& line) : interpreter_(interpreter), line_(line) {}

    bool is_option(Text word) const {
        return starts_with(word, "-") || (has(kShell) && starts_with(word, "+")) ||
               contains_word(interpreter_.skipped, word);
    }

    WordMeaning read(Text word) {
        if (contains_word(interpreter_.skipped, word)) return kNoMeaning;
        return starts_with(word, "--") || has(kLongWords) ? read_long(word) : read_short(word);
    }

private:
    static constexpr WordMeaning kNoMeaning = {WordMeaning::option, {}};

    bool has(Style style) const { return interpreter_.style & style; }

    WordMeaning read_long(Text word) {
        const size_t equals = find(word, '=');
        const Text option = word.first(equals);
        if (equals < word.size) return classify(option, word.from(equals + 1));
        return takes_value(option) ? classify(option, line_.next()) : kNoMeaning;
    }

    // `-uW ignore` means `-u -W ignore`; in a shell, `-oe pipefail` means `-o pipefail -e`.
    WordMeaning read_short(Text word) {
        for (size_t i = 1; i < word.size; ++i) {
            const char letters[] = {'-', word[i]};
            const Text option(letters, sizeof letters);
            if (word[i] == ':' || word[i] == '=' || contains_word(interpreter_.attached, option)) break;
            if (!takes_value(option)) continue;
            const bool is_value_here = i + 1 < word.size && !has(kSeparateValues);
            const WordMeaning found = classify(option, is_value_here ? word.from(i + 1) : line_.next());
            if (is_value_here || found.kind != WordMeaning::option) return found;
        }
        return kNoMeaning;
    }

    bool takes_value(Text option) const {
        return contains_word(interpreter_.valued, option) || contains_word(interpreter_.naming, option) ||
               contains_word(interpreter_.code, option);
    }

    WordMeaning classify(Text option, Text value) const {
        if (contains_word(interpreter_.naming, option)) return {WordMeaning::script, value};
        return {contains_word(interpreter_.code, option) ? WordMeaning::code : WordMeaning::option, value};
    }

    const Interpreter& interpreter_;
    CommandLine& line_;
};

WordMeaning find_script(const Interpreter& interpreter, CommandLine& line) {
    OptionReader options(interpreter, line);
    while (!line.is_at_end()) {
        const Text word = line.next();
        const bool is_hyphen = word == Text("-");
        if (is_hyphen && !(interpreter.style & kShell)) return {WordMeaning::code, {}};  // standard input
        if (is_hyphen || word == Text("--")) return {WordMeaning::script, line.next()};
        if (!options.is_option(word)) return {WordMeaning::script, word};
        const WordMeaning found = options.read(word);
        if (found.kind != WordMeaning::option) return found;
    }
    return {WordMeaning::code, {}};
}

// Reads files in /proc of this process and then of its ancestors. Uses the process IDs of the mounted /proc, which may
// belong to another PID namespace.
class Lineage {
public:
    Lineage() { TextBuilder(directory_).add("/proc/self"); }

    size_t read(const char* file, char* buffer, size_t capacity) const {
        char path[64];
        TextBuilder name(path);
        name.add(directory_);
        name.add(file);
        return read_small_file(path, buffer, capacity);
    }

    // Returns false if the parent is outside this PID namespace.
    bool go_to_parent() {
        char stat[1024];
        const int parent = parent_in(Text(stat, read("/stat", stat, sizeof stat)));
        TextBuilder name(directory_);
        name.add("/proc/");
        name.add(static_cast<uint64_t>(parent));
        return parent > 0;
    }

private:
    char directory_[32];
};

bool read_names_of(const Lineage& process, ProgramNames& names) {
    static char line[131072];  // for long Java class paths; only the thread that initializes the library uses it
    return find_program_names(Text(line, process.read("/cmdline", line, sizeof line)), names);
}

}  // namespace

bool find_program_names(Text command_line, ProgramNames& names) {
    CommandLine line(command_line);
    const Text program = base_name_of(line.next());
    copy_base_name(program, names.program);
    const Interpreter* interpreter = find_interpreter(program);
    const WordMeaning found = interpreter ? find_script(*interpreter, line) : WordMeaning{WordMeaning::option, {}};
    copy_base_name(found.kind == WordMeaning::script ? found.text : Text(), names.script);
    return found.kind == WordMeaning::code && starts_with(found.text, "from multiprocessing.");
}

void read_program_names(ProgramNames& names) {
    constexpr int kMaxGenerations = 16;
    Lineage process;
    bool is_worker = read_names_of(process, names);
    for (int i = 0; is_worker && i < kMaxGenerations && process.go_to_parent(); ++i) {
        ProgramNames spawner{};
        is_worker = read_names_of(process, spawner);
        copy_base_name(spawner.script, names.script);
    }
}

}  // namespace cudafault
