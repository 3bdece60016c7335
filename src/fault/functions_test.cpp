// SPDX-License-Identifier: Apache-2.0
// Tests the generated function table: order, lookups, and invariants of each row.
#include "fault/functions.hpp"

#include <gtest/gtest.h>

#include <string>

namespace cudafault {
namespace {

std::string name_of(int row) {
    const Text name = function_name(row);
    return {name.data, name.size};
}

TEST(Functions, AreSortedByNameThenSoname) {
    for (int row = 1; row < kFunctionCount; ++row) {
        const int order = compare(function_name(row - 1), function_name(row));
        EXPECT_LE(order, 0) << name_of(row);
        if (order == 0) {
            EXPECT_LT(kFunctions[row - 1].soname, kFunctions[row].soname) << name_of(row);
        }
    }
}

TEST(Functions, FindReturnsTheFirstRowOfAName) {
    for (int row = 0; row < kFunctionCount; ++row) {
        const int found = find_function(function_name(row));
        ASSERT_GE(found, 0) << name_of(row);
        EXPECT_LE(found, row);
        EXPECT_EQ(name_of(found), name_of(row));
        if (found > 0) {
            EXPECT_NE(name_of(found - 1), name_of(row));
        }
    }
}

TEST(Functions, UnknownNamesAreNotFound) {
    for (const char* name : {"", "c", "cu", "cuInit2", "cuIni", "CUINIT", "malloc", "zzz", "\x7f", "dlsym"}) {
        EXPECT_EQ(find_function(name), -1) << name;
    }
}

TEST(Functions, RowsAreConsistent) {
    for (int row = 0; row < kFunctionCount; ++row) {
        const Function& function = kFunctions[row];
        EXPECT_LT(function.soname, kRuntimeSonameCount) << name_of(row);
        if (function.api != Api::runtime) {
            EXPECT_EQ(function.soname, 0) << name_of(row);
        }
        if (function.api != Api::driver) {
            EXPECT_EQ(function.version, 0) << name_of(row);
        }
        if (function.simple_fails) {
            EXPECT_TRUE(function.returns_status) << name_of(row);
        }
        if (function.simple_fails) {
            EXPECT_TRUE(function.api == Api::driver || function.api == Api::runtime) << name_of(row);
        }
        if (function.hook == Hook::registration) {
            EXPECT_FALSE(function.simple_fails) << name_of(row);
        }
    }
}

Hook hook_of(const char* name) {
    const int row = find_function(name);
    EXPECT_GE(row, 0) << name;
    return row < 0 ? Hook::none : kFunctions[row].hook;
}

TEST(Functions, HooksAreAssignedByName) {
    EXPECT_EQ(hook_of("__cudaRegisterFatBinary"), Hook::registration);
    EXPECT_EQ(hook_of("cuGetProcAddress_v2"), Hook::resolver);
    EXPECT_EQ(hook_of("cudaGetLastError"), Hook::last_error);
    EXPECT_EQ(hook_of("cuInit"), Hook::enumerate);
    EXPECT_EQ(hook_of("cuDeviceGetCount"), Hook::enumerate);
    EXPECT_EQ(hook_of("cuMemAlloc_v2"), Hook::none);
}

TEST(Classes, AreFoundByName) {
    for (int i = 0; i < kCallClasses; ++i) {
        CallClass found{};
        ASSERT_TRUE(find_class(class_name(static_cast<CallClass>(i)), found));
        EXPECT_EQ(static_cast<int>(found), i);
    }
    CallClass unused{};
    EXPECT_FALSE(find_class("", unused));
    EXPECT_FALSE(find_class("@memory", unused));
}

TEST(Functions, WithoutVersionKeepsSonameUpToSo) {
    EXPECT_TRUE(without_version(kDriverSoname) == Text("libcuda.so"));
    EXPECT_TRUE(without_version(kNvmlSoname) == Text("libnvidia-ml.so"));
    EXPECT_TRUE(without_version(kRuntimeSonames[0]) == Text("libcudart.so"));
}

}  // namespace
}  // namespace cudafault
