// SPDX-License-Identifier: Apache-2.0
// Compares the symbols that LoadedObject finds with those that dlsym finds.
#include "preload/resolve/objects.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>

namespace cudafault {
namespace {

LoadedObject object_with(const void* address) {
    LoadedObject object;
    EXPECT_TRUE(find_object(address, object));
    return object;
}

LoadedObject libc_object() { return object_with(dlsym(RTLD_DEFAULT, "getppid")); }

std::string text(Text value) { return {value.data, value.size}; }

TEST(LoadedObject, FindsTheFunctionsThatDlsymFinds) {
    const LoadedObject libc = libc_object();
    void* handle = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);  // excludes a sanitizer's functions of the same names
    for (const char* name : {"getppid", "fopen", "strtod", "pthread_create", "dlopen"}) {
        EXPECT_EQ(libc.function(name), dlsym(handle, name)) << name;
    }
}

TEST(LoadedObject, FindsTheDefaultVersionOfAFunction) {
    const LoadedObject libc = libc_object();
    void* handle = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    for (const char* name : {"glob", "sched_getaffinity", "realpath", "nftw"}) {
        EXPECT_EQ(libc.function(name), dlsym(handle, name)) << name;
    }
}

TEST(LoadedObject, DistinguishesDataFromFunctions) {
    const LoadedObject libc = libc_object();
    ASSERT_NE(libc.find("stdout"), nullptr);
    EXPECT_EQ(libc.function("stdout"), nullptr);
}

TEST(LoadedObject, ReturnsNullForUndefinedPartialAndUnknownNames) {
    const LoadedObject libc = libc_object();
    for (const char* name : {"getppi", "getppidx", "", "no_such_function"}) EXPECT_EQ(libc.find(name), nullptr) << name;
    EXPECT_EQ(object_with(reinterpret_cast<const void*>(&object_with)).function("dlsym"), nullptr)
        << "the test program imports dlsym but does not define it";
}

TEST(LoadedObject, ReturnsSonameAndBaseName) {
    EXPECT_EQ(text(libc_object().soname()), "libc.so.6");
    EXPECT_EQ(text(base_name_of("/a/b.so")), "b.so");
    EXPECT_EQ(text(base_name_of("b.so")), "b.so");
    EXPECT_EQ(text(base_name_of("/a/")), "");
}

TEST(LoadedObject, FindsNoObjectForStackAndNullAddresses) {
    int on_stack = 0;
    LoadedObject object;
    EXPECT_FALSE(find_object(&on_stack, object));
    EXPECT_FALSE(find_object(nullptr, object));
}

}  // namespace
}  // namespace cudafault
