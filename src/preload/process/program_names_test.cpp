// SPDX-License-Identifier: Apache-2.0
#include "preload/process/program_names.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cudafault {
namespace {

struct Case {
    std::vector<std::string> words;
    const char* program;
    const char* script;
    bool is_worker = false;
};

std::string joined(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) line += word + '\0';
    return line;
}

void expect_names(const std::vector<Case>& cases) {
    for (const Case& each : cases) {
        std::string shown;
        for (const std::string& word : each.words) shown += word + " ";
        const std::string line = joined(each.words);
        ProgramNames names{};
        EXPECT_EQ(find_program_names({line.data(), line.size()}, names), each.is_worker) << shown;
        EXPECT_STREQ(names.program, each.program) << shown;
        EXPECT_STREQ(names.script, each.script) << shown;
    }
}

TEST(ProgramNames, FindsPythonScriptsAndModules) {
    expect_names({
        {{"python", "x.py", "y.py"}, "python", "x.py"},
        {{"/usr/bin/python3.11", "-u", "/srv/x.py"}, "python3.11", "x.py"},
        {{"python3", "-W", "ignore", "x.py"}, "python3", "x.py"},
        {{"python3", "-Wignore", "x.py"}, "python3", "x.py"},
        {{"python3", "-X", "dev", "-bb", "x.py"}, "python3", "x.py"},
        {{"python3", "-uX", "dev", "x.py"}, "python3", "x.py"},
        {{"python3", "--check-hash-based-pycs", "always", "x.py"}, "python3", "x.py"},
        {{"python3", "--check-hash-based-pycs=always", "x.py"}, "python3", "x.py"},
        {{"python3", "-m", "torch.distributed.run", "x.py"}, "python3", "torch.distributed.run"},
        {{"python3", "-um", "pkg"}, "python3", "pkg"},
        {{"python3", "-mpkg"}, "python3", "pkg"},
        {{"python3", "-c", "import x", "y.py"}, "python3", ""},
        {{"python3", "-Wignore", "-cimport x", "y.py"}, "python3", ""},
        {{"python3", "-", "y.py"}, "python3", ""},
        {{"python3"}, "python3", ""},
        {{"python3", "-W"}, "python3", ""},
        {{"pypy3", "x.py"}, "pypy3", "x.py"},
    });
}

TEST(ProgramNames, RecognizesMultiprocessingWorkers) {
    const std::string spawn = "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)";
    const std::string server = "from multiprocessing.forkserver import main; main(3, 4, ['__main__'])";
    expect_names({
        {{"python3", "-c", spawn, "--multiprocessing-fork"}, "python3", "", true},
        {{"python3", "-X", "dev", "-c", spawn, "--multiprocessing-fork"}, "python3", "", true},
        {{"python3", "-c", server}, "python3", "", true},
        {{"python3", "-c", "import multiprocessing"}, "python3", "", false},
    });
}

TEST(ProgramNames, FindsJavaClassesAndArchives) {
    expect_names({
        {{"java", "-cp", ".", "Main", "argument"}, "java", "Main"},
        {{"java", "-Xmx1g", "-classpath", "a:b", "-Dx=y", "org.example.Main"}, "java", "org.example.Main"},
        {{"java", "--class-path=a:b", "Main"}, "java", "Main"},
        {{"java", "-ea", "-jar", "/srv/app.jar", "serve"}, "java", "app.jar"},
        {{"java", "--module-path", "mods", "-m", "org.example/org.example.Main"}, "java", "org.example.Main"},
        {{"java", "--add-opens", "java.base/java.lang=ALL-UNNAMED", "Main.java"}, "java", "Main.java"},
    });
}

TEST(ProgramNames, FindsNodeScripts) {
    expect_names({
        {{"node", "--require", "m", "x.js"}, "node", "x.js"},
        {{"node", "-r", "m", "--import=n", "x.mjs", "y.js"}, "node", "x.mjs"},
        {{"node", "--max-old-space-size=4096", "x.js"}, "node", "x.js"},
        {{"node", "-e", "code", "x.js"}, "node", ""},
        {{"nodejs", "--inspect", "x.js"}, "nodejs", "x.js"},
    });
}

TEST(ProgramNames, FindsScriptsOfOtherInterpreters) {
    expect_names({
        {{"bash", "-eo", "pipefail", "x.sh"}, "bash", "x.sh"},
        {{"sh", "-c", "x.sh y"}, "sh", ""},
        {{"perl", "-w", "-I", "lib", "x.pl"}, "perl", "x.pl"},
        {{"ruby", "-rset", "x.rb"}, "ruby", "x.rb"},
        {{"julia", "-t", "4", "x.jl"}, "julia", "x.jl"},
        {{"/usr/lib/R/bin/exec/R", "--no-echo", "--file=x.R", "--args", "1"}, "R", "x.R"},
        {{"php", "-d", "memory_limit=1G", "x.php"}, "php", "x.php"},
    });
}

TEST(ProgramNames, SkipsOptionsWithTheirValues) {
    expect_names({
        {{"pypy3", "--jit", "off", "x.py"}, "pypy3", "x.py"},
        {{"java", "--patch-module", "a=b", "Main"}, "java", "Main"},
        {{"java", "@options", "Main"}, "java", "Main"},
        {{"node", "--test-reporter", "tap", "--heapsnapshot-signal", "SIGUSR2", "x.js"}, "node", "x.js"},
        {{"node", "--max-http-header-size", "9", "--env-file-if-exists", ".env", "x.js"}, "node", "x.js"},
        {{"bash", "-oe", "pipefail", "x.sh"}, "bash", "x.sh"},
        {{"bash", "+x", "x.sh"}, "bash", "x.sh"},
        {{"bash", "+O", "extglob", "x.sh"}, "bash", "x.sh"},
        {{"bash", "-norc", "x.sh"}, "bash", "x.sh"},
        {{"sh", "-", "x.sh"}, "sh", "x.sh"},
        {{"zsh", "-oextendedglob", "x.sh"}, "zsh", "x.sh"},
        {{"ruby", "--enable", "yjit", "--disable", "gems", "x.rb"}, "ruby", "x.rb"},
        {{"php", "--define", "a=b", "--php-ini", "f", "x.php"}, "php", "x.php"},
        {{"luajit", "-j", "off", "-Ofold", "x.lua"}, "luajit", "x.lua"},
        {{"julia", "+release", "--startup-file", "no", "x.jl"}, "julia", "x.jl"},
        {{"R", "CMD", "BATCH", "x.R"}, "R", "x.R"},
    });
}

TEST(ProgramNames, DoesNotReadAttachedValuesAsOptions) {
    expect_names({
        {{"perl", "-MData::Dumper", "x.pl"}, "perl", "x.pl"},
        {{"perl", "-mEnglish", "-i.new", "-CSe", "-d:Trace", "x.pl"}, "perl", "x.pl"},
        {{"perl", "-lne", "print", "x.txt"}, "perl", ""},
        {{"ruby", "-W:no-deprecated", "-Ke", "-i.new", "x.rb"}, "ruby", "x.rb"},
    });
}

TEST(ProgramNames, FindsNoScriptIfInterpreterRunsSourceText) {
    expect_names({
        {{"bash", "-s", "x.sh"}, "bash", ""},
        {{"php", "-E", "code", "x"}, "php", ""},
        {{"R", "--no-echo", "--args", "x"}, "R", ""},
    });
}

TEST(ProgramNames, FindsNoScriptOfUnknownPrograms) {
    expect_names({
        {{"/srv/serve", "3"}, "serve", ""},
        {{"./tool", "-v", "x.py"}, "tool", ""},
        {{"javac", "-d", "out", "Main.java"}, "javac", ""},
        {{"pythonista", "x.py"}, "pythonista", ""},
        {{"php-fpm", "x.php"}, "php-fpm", ""},
        {{"", "x"}, "", ""},
        {{}, "", ""},
    });
}

TEST(ProgramNames, RecognizesVersionsOfInterpreters) {
    expect_names({
        {{"python3.13t", "x.py"}, "python3.13t", "x.py"},
        {{"python3-dbg", "x.py"}, "python3-dbg", "x.py"},
        {{"luajit-2.1.0-beta3", "x.lua"}, "luajit-2.1.0-beta3", "x.lua"},
    });
}

TEST(ProgramNames, IgnoresTrailingSlashes) {
    expect_names({
        {{"python3", "pkg/"}, "python3", "pkg"},
        {{"python3", "/srv/pkg//"}, "python3", "pkg"},
        {{"python3", "/"}, "python3", ""},
    });
}

TEST(ProgramNames, TruncatesLongNames) {
    const std::string line = "python3" + std::string(1, '\0') + std::string(1000, 'x');  // without a final '\0'
    ProgramNames names{};
    find_program_names({line.data(), line.size()}, names);
    EXPECT_EQ(std::string(names.script), std::string(kMaxGlob - 1, 'x'));
}

TEST(ProgramNames, ReadsNamesOfThisProcess) {
    ProgramNames names{};
    read_program_names(names);
    EXPECT_STREQ(names.program, "preload-tests");
}

}  // namespace
}  // namespace cudafault
