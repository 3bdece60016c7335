// SPDX-License-Identifier: Apache-2.0
#include "kube/object/diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <string_view>

#include "kube/api/common/json.hpp"
#include "kube/object/well_known.hpp"

namespace cudafault::kube {

namespace {

constexpr size_t kMaxShown = 200;  // characters of a value
constexpr const char* kHidden = "(not shown)";

bool has_password(const std::string& text) {
    const size_t scheme = text.find("://");
    const size_t at = text.find('@', scheme == std::string::npos ? 0 : scheme);
    if (scheme != std::string::npos && at != std::string::npos) {
        const size_t colon = text.find(':', scheme + 3);
        if (colon < at && text.find('/', scheme + 3) > at) return true;
    }
    const size_t sign = text.find('=');
    return sign != std::string::npos && is_secret_name(text.substr(0, sign));
}

// Returns a copy in which secret values are hidden.
Json without_secrets(const Json& value) {
    if (value.is_string()) return has_password(value.get<std::string>()) ? Json(kHidden) : value;
    if (!value.is_structured()) return value;
    Json copy = value;
    const bool is_secret = is_secret_name(text_at(value, "name"));
    for (auto field = copy.begin(); field != copy.end(); ++field) {
        const bool hide =
            copy.is_object() && ((is_secret && field.key() == "value") || field.key() == well_known::kLastApplied);
        *field = hide ? Json(kHidden) : without_secrets(*field);
    }
    return copy;
}

std::string text_of_value(const Json& value) {
    const std::string text = without_secrets(value).dump(-1, ' ', false, Json::error_handler_t::replace);
    return text.size() <= kMaxShown ? text : text.substr(0, kMaxShown) + "...";
}

// Returns the key field that identifies the items of both lists, or nullptr.
const char* key_of(const Json& before, const Json& after) {
    for (const char* key : {"mountPath", "manager", "name"}) {
        const auto has_unique = [&](const Json& list) {
            std::vector<std::string> values;
            for (const Json& item : list) values.push_back(text_at(item, key));
            std::sort(values.begin(), values.end());
            return std::adjacent_find(values.begin(), values.end()) == values.end() &&
                   (values.empty() || !values.front().empty());
        };
        if (has_unique(before) && has_unique(after)) return key;
    }
    return nullptr;
}

class Comparison {
public:
    Comparison(std::string object, std::vector<Difference>& found) : object_(std::move(object)), found_(found) {}

    void compare(const std::string& path, const Json* before, const Json* after);

private:
    void compare_objects(const std::string& path, const Json& before, const Json& after);
    void compare_lists(const std::string& path, const Json& before, const Json& after);
    void compare_by_key(const std::string& path, const Json& before, const Json& after, const char* key);
    void add(const std::string& path, const Json* before, const Json* after) {
        found_.push_back({object_, path, before ? std::optional(text_of_value(*before)) : std::nullopt,
                          after ? std::optional(text_of_value(*after)) : std::nullopt});
    }
    void add_hidden(const std::string& path, bool before, bool after) {
        found_.push_back({object_, path, before ? std::optional<std::string>(kHidden) : std::nullopt,
                          after ? std::optional<std::string>(kHidden) : std::nullopt});
    }

    const std::string object_;
    std::vector<Difference>& found_;
};

void Comparison::compare(const std::string& path, const Json* before, const Json* after) {
    if (before && after) {
        if (*before == *after) return;
        if (before->is_object() && after->is_object()) return compare_objects(path, *before, *after);
        if (before->is_array() && after->is_array()) return compare_lists(path, *before, *after);
    }
    add(path, before, after);
}

std::string child_path(const std::string& path, const std::string& field) {
    if (field.find_first_of("./") != std::string::npos && !field.starts_with("f:")) return path + "[" + field + "]";
    return path.empty() ? field : path + "." + field;
}

void Comparison::compare_objects(const std::string& path, const Json& before, const Json& after) {
    std::map<std::string, std::pair<const Json*, const Json*>> fields;
    for (const auto& [key, value] : before.items()) fields[key].first = &value;
    for (const auto& [key, value] : after.items()) fields[key].second = &value;
    const bool is_secret = is_secret_name(text_at(before, "name"));
    for (const auto& [key, sides] : fields) {
        const bool hide = (is_secret && key == "value") || key == well_known::kLastApplied;
        if (!hide) {
            compare(child_path(path, key), sides.first, sides.second);
        } else if (!sides.first || !sides.second || *sides.first != *sides.second) {
            add_hidden(child_path(path, key), sides.first, sides.second);
        }
    }
}

void Comparison::compare_lists(const std::string& path, const Json& before, const Json& after) {
    if (const char* key = key_of(before, after)) return compare_by_key(path, before, after, key);
    for (size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
        compare(fmt::format("{}[{}]", path, i), i < before.size() ? &before[i] : nullptr,
                i < after.size() ? &after[i] : nullptr);
    }
}

void Comparison::compare_by_key(const std::string& path, const Json& before, const Json& after, const char* key) {
    std::vector<std::string> before_keys, after_keys;
    std::map<std::string, std::pair<const Json*, const Json*>> items;
    for (const Json& item : before) items[before_keys.emplace_back(text_at(item, key))].first = &item;
    for (const Json& item : after) items[after_keys.emplace_back(text_at(item, key))].second = &item;
    for (const auto& [name, sides] : items) compare(fmt::format("{}[{}]", path, name), sides.first, sides.second);
    if (before_keys.size() == after_keys.size() && before_keys != after_keys &&
        std::is_permutation(before_keys.begin(), before_keys.end(), after_keys.begin())) {
        const Json old_order = before_keys, new_order = after_keys;
        add(path + " (order)", &old_order, &new_order);
    }
}

}  // namespace

bool is_secret_name(const std::string& name) {
    std::string upper;
    for (const char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    constexpr std::array<std::string_view, 9> kWords = {"PASS", "SECRET",  "TOKEN", "KEY",   "CRED",
                                                        "AUTH", "PRIVATE", "CERT",  "COOKIE"};
    return std::any_of(kWords.begin(), kWords.end(),
                       [&](std::string_view word) { return upper.find(word) != std::string::npos; });
}

std::vector<Difference> differences(const std::string& object, const Json& before, const Json& after) {
    std::vector<Difference> found;
    Comparison(object, found).compare("", &before, &after);
    return found;
}

}  // namespace cudafault::kube
