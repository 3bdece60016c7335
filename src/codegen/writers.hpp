// SPDX-License-Identifier: Apache-2.0
// Declares the writers of the generator. Each writer reads data/ and throws DataError if a file is invalid.
#pragma once

#include <filesystem>
#include <ostream>

namespace cudafault::codegen {

// Writes CUDAFAULT_ROW(name, soname, api, cls, from, slot, hook, status, simple, per_thread, version, newest) for each
// exported symbol; flags are 0 or 1.
void write_functions(const std::filesystem::path& data, std::ostream& out);

// Writes the linker's version script of libcudafault.so.
void write_version_script(const std::filesystem::path& data, std::ostream& out);

// Writes CUDAFAULT_XID(number, code, "error name", "title", reserved) for each XID, in ascending order. The code is 0
// if no CUDA call fails. A reserved XID has the reason instead of the title.
void write_xids(const std::filesystem::path& data, std::ostream& out);

// Writes the catalog as a string literal that contains a JSON list.
void write_xid_catalog(const std::filesystem::path& data, std::ostream& out);

// Writes CUDAFAULT_GPU_MODEL("name", "feature"...) for each model of gpu_features.tsv.
void write_gpu_features(const std::filesystem::path& data, std::ostream& out);

// Writes CUDAFAULT_ERROR(api, code, "name") for each row of errors.tsv, in the order of the file.
void write_errors(const std::filesystem::path& data, std::ostream& out);

// Writes the fault library as one source file.
void write_one_file(const std::filesystem::path& data, std::ostream& out);

// These functions write docs/functions.md and docs/xids.md.
void write_functions_doc(const std::filesystem::path& data, std::ostream& out);
void write_xids_doc(const std::filesystem::path& data, std::ostream& out);

}  // namespace cudafault::codegen
