// SPDX-License-Identifier: Apache-2.0
#include "kube/audit/traces.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "kube/api/common/json.hpp"
#include "kube/names.hpp"
#include "kube/record/own_names.hpp"
#include "kube/workload/pod_state.hpp"

namespace cudafault::kube {

namespace {

constexpr size_t kHashDigits = 10;
// Written by `kubectl apply` only. cudafault never writes it, and the next apply without these fields removes them.
constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

bool is_hash(std::string_view text) {
    return text.size() == kHashDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Returns the hash after the prefix, or an empty string. The names of libraries have the architecture after the hash.
std::string hash_behind(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix)) return "";
    const std::string_view rest = name.substr(prefix.size());
    const std::string_view hash = rest.substr(0, kHashDigits);
    const bool ends = rest.size() == kHashDigits || (rest.size() > kHashDigits && rest[kHashDigits] == '-');
    return is_hash(hash) && ends ? std::string(hash) : "";
}

std::string hash_of_config_map(std::string_view name) {
    for (const char* prefix : {names::kAnchorPrefix, names::kPlanPrefix, names::kLibraryPrefix}) {
        const std::string hash = hash_behind(name, prefix);
        if (!hash.empty()) return hash;
    }
    return "";
}

bool is_config_map_name(std::string_view name) {
    return name == names::kSourceConfigMap || !hash_of_config_map(name).empty();
}

bool preloads_ours(std::string_view value) {
    if (value.find(names::kPreloadBefore) != std::string_view::npos) return true;
    const std::vector<std::string> libraries = preloaded(value);
    return std::any_of(libraries.begin(), libraries.end(), is_own_library);
}

// One step of the path to the current value. The text of a path is built only for traces that are found.
struct TracePlace {
    const std::string* field = nullptr;  // nullptr: an item of a list
    const Json* item = nullptr;
    size_t index = 0;
};

std::string step_text(const TracePlace& place, bool is_first) {
    if (place.field) {
        const bool is_plain = place.field->find_first_of("./") == std::string::npos;
        return is_plain ? (is_first ? "" : ".") + *place.field : "[" + *place.field + "]";
    }
    for (const char* key : {"mountPath", "name", "manager"}) {
        const std::string name = text_at(*place.item, key);
        if (!name.empty()) return "[" + name + "]";
    }
    return fmt::format("[{}]", place.index);
}

class Search {
public:
    explicit Search(const Resource& resource) : resource_(resource) {}

    std::vector<Trace> in(const Json& object) {
        object_ = ref_of(resource_, object).text();
        look_at_name(value_at(object, "metadata"));
        look_into(object);
        return std::move(found_);
    }

private:
    void look_into(const Json& value);
    void look_at_name(const Json& metadata);
    void look_at_field(const std::string& key, const Json& value);
    void look_at_item(const Json& item);
    void look_at_volume(const Json& item, const std::string& name);
    void look_into_text(const std::string& text);
    void look_at_managers(const Json& entries);
    bool is_skipped(const std::string& key) const;
    std::string place_text() const;
    std::string field_around() const;
    void add(const std::string& what, const std::string& hash = "") {
        found_.push_back({object_, place_text(), what, hash});
    }
    void add_variable(const std::string& name) {
        add(name == names::kPreload ? "library in LD_PRELOAD" : "environment variable " + name);
        found_.back().may_be_users = name != names::kInjection;
    }

    const Resource& resource_;
    std::string object_;
    std::vector<TracePlace> places_;
    std::vector<Trace> found_;
};

std::string Search::place_text() const {
    std::string text;
    for (const TracePlace& place : places_) text += step_text(place, text.empty());
    return text;
}

// Returns the nearest field around the current value.
std::string Search::field_around() const {
    for (size_t i = places_.size(); i-- > 1;) {
        if (places_[i - 1].field) return *places_[i - 1].field;
    }
    return "";
}

bool Search::is_skipped(const std::string& key) const {
    if (places_.size() != 1) return false;
    if (key == "status") return true;
    return (resource_.kind == "ConfigMap" || resource_.kind == "Secret") && key != "metadata";
}

void Search::look_into(const Json& value) {
    if (value.is_object()) {
        for (auto field = value.begin(); field != value.end(); ++field) {
            places_.push_back({&field.key()});
            if (!is_skipped(field.key())) look_at_field(field.key(), *field);
            places_.pop_back();
        }
    } else if (value.is_array()) {
        for (size_t i = 0; i < value.size(); ++i) {
            places_.push_back({nullptr, &value[i], i});
            if (value[i].is_object()) look_at_item(value[i]);
            look_into(value[i]);
            places_.pop_back();
        }
    }
}

void Search::look_at_name(const Json& metadata) {
    static const std::string kMetadata = "metadata", kName = "name";
    const std::string name = text_at(metadata, "name");
    places_ = {{&kMetadata}, {&kName}};
    if (resource_.kind == "ConfigMap" && is_config_map_name(name)) {
        add("name " + name, hash_of_config_map(name));
    } else if (resource_.kind == "Lease") {
        const std::string hash = hash_behind(name, names::kLeasePrefix);
        if (!hash.empty()) add("name " + name, hash);
    }
    places_.clear();
}

void Search::look_at_field(const std::string& key, const Json& value) {
    if (key == "managedFields") return look_at_managers(value);
    if (key == kLastApplied) return;
    const std::string text = value.is_string() ? value.get<std::string>() : "";
    if (key.starts_with(names::kKeyPrefix)) {
        add((field_around() == "annotations" ? "annotation " : "label ") + key,
            key == names::kWorkload && is_hash(text) ? text : "");
    } else if (key == names::kManagedBy && text == names::kManager) {
        add("label " + key + "=" + text);
    } else if (is_own_variable(key)) {
        add_variable(key);
    } else if (key == names::kPreload && preloads_ours(text)) {
        add_variable(key);
    } else if (key == "name" && places_.size() > 2 && is_config_map_name(text)) {
        add("reference to ConfigMap " + text, hash_of_config_map(text));
    } else if (text.starts_with('{')) {
        look_into_text(text);
    }
    look_into(value);
}

void Search::look_at_item(const Json& item) {
    const std::string name = text_at(item, "name");
    if (is_own_variable(name)) {
        add_variable(name);
    } else if (name == names::kPreload && preloads_ours(text_at(item, "value"))) {
        add_variable(name);
    } else if (name == names::kCompileContainer) {
        add("init container " + name);
    } else {
        look_at_volume(item, name);
    }
}

void Search::look_at_volume(const Json& item, const std::string& name) {
    if (!is_own_volume(name)) return;  // a mount of another volume at the same path belongs to the workload
    const std::string path = text_at(item, "mountPath");
    add(path.empty() ? "volume " + name : "volume mount " + path);
}

// Some operators keep a copy of the whole object in an annotation.
void Search::look_into_text(const std::string& text) {
    constexpr std::array<std::string_view, 4> kOurs = {"cudafault", "CUDAFAULT", "CUDA_", "cuda-fault"};
    const auto is_in_it = [&](std::string_view name) { return text.find(name) != std::string::npos; };
    // cudafault's own annotation is already found by its key.
    if (places_.back().field->starts_with(names::kKeyPrefix) || std::none_of(kOurs.begin(), kOurs.end(), is_in_it))
        return;
    const Json inner = Json::parse(text, nullptr, false);
    if (!inner.is_discarded()) look_into(inner);
}

void Search::look_at_managers(const Json& entries) {
    if (!entries.is_array()) return;
    for (size_t i = 0; i < entries.size(); ++i) {
        if (text_at(entries[i], "manager") != names::kManager) continue;
        places_.push_back({nullptr, &entries[i], i});
        add(std::string("field manager ") + names::kManager);
        found_.back().is_manager = true;
        places_.pop_back();
    }
}

}  // namespace

std::vector<Trace> traces_of(const Resource& resource, const Json& object) {
    if (resource.group.empty() && resource.kind == "Pod" && is_terminating(object)) return {};
    return Search(resource).in(object);
}

std::set<std::string> hashes_of(const std::vector<Trace>& traces) {
    std::set<std::string> hashes;
    for (const Trace& trace : traces) {
        if (!trace.hash.empty()) hashes.insert(trace.hash);
    }
    return hashes;
}

}  // namespace cudafault::kube
