// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <filesystem>
#include <string>

namespace cudafault::local {

std::string error_text(int error = errno);  // "No such file or directory"

// Returns the value of an environment variable. Returns an empty text if it is not set.
std::string environment_variable(const char* name);

// Replaces a file atomically: a reader sees the old content or the new content. Throws Error.
void replace_file(const std::filesystem::path& path, const std::string& content);

// Waits up to two seconds for an exclusive lock (flock). Throws Error if another process keeps the lock; `object` names
// the locked object in the message.
void lock_file(int descriptor, const std::string& object);

}  // namespace cudafault::local
