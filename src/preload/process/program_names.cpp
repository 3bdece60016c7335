// SPDX-License-Identifier: Apache-2.0
#include "preload/process/program_names.hpp"

#include "fault/message.hpp"
#include "fault/words.hpp"
#include "os/process_stat.hpp"
#include "preload/process/procfs.hpp"
#include "preload/resolve/elf.hpp"

namespace cudafault {

namespace {

// Describes the command line of an interpreter up to its script. Each list contains words separated by spaces. A short
// option (-x) may share its word with others, and its value may follow in the same word or be the next word. The value
// of a long option (--option, and Java's -option) is the next word or follows '='.
struct Interpreter {
    const char* names;    // a name may be followed by a version, as in python3.11
    const char* valued;   // options with a value
    const char* naming;   // options whose value is the script
    const char* code;     // options whose value is the program's text: the process has no script
    bool has_long_words;  // a single hyphen begins a long option
};

constexpr Interpreter kInterpreters[] = {
    {"python pypy", "-W -X --check-hash-based-pycs", "-m", "-c", false},
    {"java",
     "-cp -classpath --class-path -p --module-path --upgrade-module-path --add-modules --add-exports --add-opens "
     "--add-reads --limit-modules --enable-native-access --source",
     "-jar -m --module", "", true},
    {"node nodejs",
     "-r --require --import --loader --experimental-loader -C --conditions --title --input-type --env-file "
     "--icu-data-dir --openssl-config --redirect-warnings --trace-event-categories --unhandled-rejections "
     "--disable-warning --dns-result-order --diagnostic-dir",
     "", "-e --eval -p --print", false},
    {"bash sh dash zsh ksh", "-o -O --rcfile --init-file", "", "-c", false},
    {"perl", "-I", "", "-e -E", false},
    {"ruby", "-I -r -C -E --encoding --external-encoding --internal-encoding", "", "-e", false},
    {"julia", "-J --sysimage -L --load -p --procs -t --threads -C --cpu-target --machine-file", "",
     "-e --eval -E --print", false},
    {"R Rscript", "-g --gui -d --debugger", "-f --file", "-e", false},
    {"php", "-d -c -z -t -S", "-f --file", "-r -B -R", false},
    {"lua luajit", "-e -l", "", "", false},
};

bool is_version(Text text) {
    for (size_t i = 0; i < text.size; ++i) {
        if (text[i] != '.' && text[i] != '-' && (text[i] < '0' || text[i] > '9')) return false;
    }
    return true;
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

bool contains_word(const char* list, Text option) {
    Text rest(list);
    for (Text word = next_word(rest); !word.empty(); word = next_word(rest)) {
        if (word == option) return true;
    }
    return false;
}

void copy_base_name(Text path, char (&out)[kMaxGlob]) {
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

// The meaning of a word of the command line: an option that does not determine the script, the script, or the program's
// text.
struct WordMeaning {
    enum Kind { option, script, code } kind;
    Text text;
};

class OptionReader {
public:
    OptionReader(const Interpreter& interpreter, CommandLine& line) : interpreter_(interpreter), line_(line) {}

    WordMeaning read(Text word) {
        const bool is_long = starts_with(word, "--") || interpreter_.has_long_words;
        return is_long ? read_long(word) : read_short(word);
    }

private:
    WordMeaning read_long(Text word) {
        const size_t equals = find(word, '=');
        const Text option = word.first(equals);
        if (equals < word.size) return classify(option, word.from(equals + 1));
        return takes_value(option) ? classify(option, line_.next()) : WordMeaning{WordMeaning::option, {}};
    }

    // `-uW ignore` means `-u -W ignore`.
    WordMeaning read_short(Text word) {
        for (size_t i = 1; i < word.size; ++i) {
            const char letters[] = {'-', word[i]};
            const Text option(letters, sizeof letters);
            if (!takes_value(option)) continue;
            return classify(option, i + 1 < word.size ? word.from(i + 1) : line_.next());
        }
        return {WordMeaning::option, {}};
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
        if (word == Text("-")) return {WordMeaning::code, {}};  // standard input
        if (word == Text("--")) return {WordMeaning::script, line.next()};
        if (!starts_with(word, "-")) return {WordMeaning::script, word};
        const WordMeaning found = options.read(word);
        if (found.kind != WordMeaning::option) return found;
    }
    return {WordMeaning::code, {}};
}

// Used for a program that is not in kInterpreters, because that program may still be an interpreter.
Text first_argument(CommandLine& line) {
    while (!line.is_at_end()) {
        const Text word = line.next();
        if (!starts_with(word, "-")) return word;
    }
    return {};
}

// Reads the /proc folder of this process, then of its ancestors. Process ids are those of the mounted /proc.
class Lineage {
public:
    Lineage() { Message(folder_).add("/proc/self"); }

    size_t read(const char* file, char* buffer, size_t capacity) const {
        char path[64];
        Message name(path);
        name.add(folder_);
        name.add(file);
        return read_small_file(path, buffer, capacity);
    }

    // Returns false if the parent is outside this PID namespace.
    bool go_to_parent() {
        char stat[1024];
        const int parent = parent_in(Text(stat, read("/stat", stat, sizeof stat)));
        Message name(folder_);
        name.add("/proc/");
        name.add(static_cast<uint64_t>(parent));
        return parent > 0;
    }

private:
    char folder_[32];
};

bool read_names_of(const Lineage& process, ProgramNames& names) {
    static char line[131072];  // a Java class path is long; only the thread that starts the process uses it
    return find_program_names(Text(line, process.read("/cmdline", line, sizeof line)), names);
}

}  // namespace

bool find_program_names(Text command_line, ProgramNames& names) {
    CommandLine line(command_line);
    const Text program = base_name_of(line.next());
    copy_base_name(program, names.program);
    const Interpreter* interpreter = find_interpreter(program);
    if (!interpreter) {
        copy_base_name(first_argument(line), names.script);
        return false;
    }
    const WordMeaning found = find_script(*interpreter, line);
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
