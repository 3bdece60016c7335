// SPDX-License-Identifier: Apache-2.0
// Reads data/xids.yaml and writes the XID table of the program.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <initializer_list>
#include <iomanip>

#include "codegen/tsv.hpp"
#include "codegen/writers.hpp"
#include "codegen/xid_table.hpp"

namespace cudafault::codegen {

namespace {

// Typed access to a YAML map. Throws DataError with file and line. Rejects unknown keys, to detect misspelled keys.
class YamlMap {
public:
    YamlMap(const std::filesystem::path& file, const YAML::Node& node, std::initializer_list<std::string_view> keys)
        : file_(file), node_(node) {
        if (!node.IsMap()) refuse(node, "expected a map");
        for (const auto& entry : node) {
            const std::string key = entry.first.as<std::string>();
            if (std::find(keys.begin(), keys.end(), key) == keys.end())
                refuse(entry.first, "unknown key '" + key + "'");
        }
    }

    template <typename T = std::string>
    T get(const char* key) const {
        const YAML::Node value = child(key);
        try {
            return value.as<T>();
        } catch (const YAML::Exception&) {
            refuse(value, std::string("invalid value of '") + key + "'");
        }
    }

    YAML::Node child(const char* key) const {
        const YAML::Node value = node_[key];
        if (!value) refuse(node_, std::string("key '") + key + "' is missing");
        return value;
    }

    [[noreturn]] void refuse(const YAML::Node& at, const std::string& message) const {
        throw DataError(file_, static_cast<size_t>(at.Mark().line + 1), message);
    }

private:
    const std::filesystem::path& file_;
    const YAML::Node node_;
};

Provenance read_provenance(const YamlMap& map) {
    Provenance found{map.get("source"), map.get("confidence")};
    if (found.confidence != "documented" && found.confidence != "observed" && found.confidence != "inferred") {
        map.refuse(map.child("confidence"), "invalid confidence: expected documented, observed or inferred");
    }
    return found;
}

XidRow read_row(const std::filesystem::path& file, const YAML::Node& node) {
    const YamlMap map(file, node, {"number", "mnemonic", "title", "use_case", "scope", "recovery", "simple"});
    const YamlMap scope(file, map.child("scope"), {"who", "text", "source", "confidence"});
    const YamlMap recovery(file, map.child("recovery"), {"immediate", "next", "source", "confidence"});
    const YamlMap simple(file, map.child("simple"), {"error", "code", "source", "confidence", "remark"});
    return {map.get<unsigned>("number"), map.get("mnemonic"),       map.get("title"),
            map.get("use_case"),         scope.get("who"),          scope.get("text"),
            read_provenance(scope),      recovery.get("immediate"), recovery.get("next"),
            read_provenance(recovery),   simple.get("error"),       simple.get<int>("code"),
            simple.get("remark"),        read_provenance(simple)};
}

YAML::Node load(const std::filesystem::path& file) {
    try {
        return YAML::LoadFile(file.string());
    } catch (const YAML::ParserException& e) {
        throw DataError(file, static_cast<size_t>(e.mark.line + 1), e.msg);
    } catch (const YAML::BadFile&) {
        throw DataError(file, 0, "cannot read the file");
    }
}

}  // namespace

std::vector<XidRow> read_xid_table(const std::filesystem::path& data) {
    const std::filesystem::path file = data / "xids.yaml";
    std::vector<XidRow> rows;
    for (const YAML::Node& node : load(file)) {
        rows.push_back(read_row(file, node));
        if (rows.size() > 1 && rows[rows.size() - 2].number >= rows.back().number) {
            throw DataError(file, static_cast<size_t>(node.Mark().line + 1), "XIDs must be in ascending order");
        }
    }
    return rows;
}

void write_xids(const std::filesystem::path& data, std::ostream& out) {
    out << "// Generated from data/xids.yaml by cudafault-codegen; do not edit.\n";
    for (const XidRow& row : read_xid_table(data)) {
        out << "CUDAFAULT_XID(" << row.number << ", " << row.simple_code << ", \"" << row.simple_error << "\", \""
            << row.title << "\")\n";
    }
}

void write_xid_errors(const std::filesystem::path& data, std::ostream& out) {
    const std::filesystem::path file = data / "xid_errors.tsv";
    const std::vector<XidRow> known = read_xid_table(data);
    out << "// Generated from data/xid_errors.tsv by cudafault-codegen; do not edit.\n";
    for (const TsvRow& row : read_tsv(file, {"xid", "error", "source"})) {
        const std::string& number = row.fields[0];
        const auto has_number = [&](const XidRow& xid) { return std::to_string(xid.number) == number; };
        if (std::any_of(known.begin(), known.end(), has_number)) {
            throw DataError(file, row.line, "XID " + number + " is in xids.yaml: remove this line");
        }
        out << "CUDAFAULT_XID_ERROR(" << number << ", \"" << row.fields[1] << "\")\n";
    }
}

void write_xid_details(const std::filesystem::path& data, std::ostream& out) {
    out << "// Generated from data/xids.yaml by cudafault-codegen; do not edit.\n";
    for (const XidRow& row : read_xid_table(data)) {
        out << "CUDAFAULT_XID_DETAILS(" << row.number;
        for (const std::string* text :
             {&row.mnemonic, &row.use_case, &row.scope_text, &row.recovery, &row.recovery_next, &row.simple_remark}) {
            out << ", " << std::quoted(*text);
        }
        out << ")\n";
    }
}

}  // namespace cudafault::codegen
