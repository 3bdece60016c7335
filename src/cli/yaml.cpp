// SPDX-License-Identifier: Apache-2.0
#include "cli/yaml.hpp"

#include <algorithm>
#include <string_view>

#include "kube/api/common/encoding.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

// Returns true if YAML 1.1 reads the unquoted text as this string: a word that is not a keyword and starts with a
// letter or a slash.
bool is_plain(const std::string& text) {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/";
    constexpr std::string_view kOthers = "0123456789._-=/";
    static constexpr std::string_view kKeywords[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
    if (text.empty() || kLetters.find(text.front()) == std::string_view::npos) return false;
    if (!std::all_of(text.begin(), text.end(), [&](char c) {
            return kLetters.find(c) != std::string_view::npos || kOthers.find(c) != std::string_view::npos;
        })) {
        return false;
    }
    return std::find(std::begin(kKeywords), std::end(kKeywords), kube::lower_case(text)) == std::end(kKeywords);
}

// A JSON string is a valid double-quoted YAML scalar.
std::string scalar(const json& value) {
    if (value.is_string() && is_plain(value.get_ref<const std::string&>())) return value.get<std::string>();
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

void write(std::string& out, const json& value, size_t indent, bool is_in_list) {
    if (!value.is_structured() || value.empty()) {
        out += " " + (value.is_structured() ? std::string(value.is_array() ? "[]" : "{}") : scalar(value)) + "\n";
        return;
    }
    std::string start = is_in_list ? " " : "\n" + std::string(indent, ' ');  // an item's first field follows its dash
    for (auto item = value.begin(); item != value.end(); ++item) {
        out += start;
        start.assign(indent, ' ');
        if (value.is_object()) {
            out += scalar(json(item.key())) + ":";
            // Lists are not indented under their field, as in kubectl's output.
            const bool is_list = item->is_array() && !item->empty();
            write(out, *item, is_list ? indent : indent + 2, false);
        } else {
            out += '-';
            write(out, *item, indent + 2, true);
        }
    }
}

}  // namespace

std::string yaml_text(const json& document) {
    std::string text;
    write(text, document, 0, true);
    return text.substr(text.find_first_not_of(" \n"));
}

}  // namespace cudafault::cli
