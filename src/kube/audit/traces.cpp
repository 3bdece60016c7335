// SPDX-License-Identifier: Apache-2.0
#include "kube/audit/traces.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "kube/api/common/json.hpp"
#include "kube/names.hpp"
#include "kube/object/well_known.hpp"
#include "kube/record/own_names.hpp"
#include "kube/workload/pod_state.hpp"
#include "os/preload_list.hpp"

namespace cudafault::kube {

namespace {

constexpr size_t kHashDigits = 10;

bool is_hash(std::string_view text) {
    return text.size() == kHashDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Returns the hash after the prefix, or an empty string. The architecture follows the hash in the names of library
// ConfigMaps.
std::string hash_after_prefix(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix)) return "";
    const std::string_view suffix = name.substr(prefix.size());
    const std::string_view hash = suffix.substr(0, kHashDigits);
    const bool is_delimited =
        suffix.size() == kHashDigits || (suffix.size() > kHashDigits && suffix[kHashDigits] == '-');
    return is_hash(hash) && is_delimited ? std::string(hash) : "";
}

std::string hash_of_config_map(std::string_view name) {
    for (const char* prefix : {names::kAnchorPrefix, names::kPlanPrefix, names::kLibraryPrefix}) {
        const std::string hash = hash_after_prefix(name, prefix);
        if (!hash.empty()) return hash;
    }
    return "";
}

bool is_config_map_name(std::string_view name) {
    return name == names::kSourceConfigMap || !hash_of_config_map(name).empty();
}

bool has_cudafault_library(std::string_view value) {
    if (value.find(names::kPreloadBefore) != std::string_view::npos) return true;
    const std::vector<std::string> libraries = preloaded(value);
    return std::any_of(libraries.begin(), libraries.end(), is_cudafault_library);
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

    std::vector<Trace> traces_in(const Json& object) {
        object_ = ref_of(resource_, object).text();
        check_name(value_at(object, "metadata"));
        search(object);
        return std::move(found_);
    }

private:
    void search(const Json& value);
    void check_name(const Json& metadata);
    void check_field(const std::string& key, const Json& value);
    void check_item(const Json& item);
    void check_volume(const Json& item, const std::string& name);
    void search_embedded_json(const std::string& text);
    void check_managers(const Json& entries);
    bool is_skipped(const std::string& key) const;
    std::string path_text() const;
    std::string enclosing_field() const;
    void add(const std::string& what, const std::string& hash = "") {
        found_.push_back({object_, path_text(), what, hash});
    }
    void add_variable(const std::string& name) {
        add(name == names::kPreload ? "library in LD_PRELOAD" : "environment variable " + name);
        found_.back().is_ambiguous = name != names::kInjection;
    }

    const Resource& resource_;
    std::string object_;
    std::vector<TracePlace> places_;
    std::vector<Trace> found_;
};

std::string Search::path_text() const {
    std::string text;
    for (const TracePlace& place : places_) text += step_text(place, text.empty());
    return text;
}

// Returns the nearest field around the current value.
std::string Search::enclosing_field() const {
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

void Search::search(const Json& value) {
    if (value.is_object()) {
        for (auto field = value.begin(); field != value.end(); ++field) {
            places_.push_back({&field.key()});
            if (!is_skipped(field.key())) check_field(field.key(), *field);
            places_.pop_back();
        }
    } else if (value.is_array()) {
        for (size_t i = 0; i < value.size(); ++i) {
            places_.push_back({nullptr, &value[i], i});
            if (value[i].is_object()) check_item(value[i]);
            search(value[i]);
            places_.pop_back();
        }
    }
}

void Search::check_name(const Json& metadata) {
    static const std::string kMetadata = "metadata", kName = "name";
    const std::string name = text_at(metadata, "name");
    places_ = {{&kMetadata}, {&kName}};
    if (resource_.kind == "ConfigMap" && is_config_map_name(name)) {
        add("name " + name, hash_of_config_map(name));
    } else if (resource_.kind == "Lease") {
        const std::string hash = hash_after_prefix(name, names::kLeasePrefix);
        if (!hash.empty()) add("name " + name, hash);
    }
    places_.clear();
}

void Search::check_field(const std::string& key, const Json& value) {
    if (key == "managedFields") return check_managers(value);
    if (key == well_known::kLastApplied) return;  // has only what the workload author wrote
    const std::string text = value.is_string() ? value.get<std::string>() : "";
    if (key.starts_with(names::kKeyPrefix)) {
        add((enclosing_field() == "annotations" ? "annotation " : "label ") + key,
            key == names::kWorkload && is_hash(text) ? text : "");
    } else if (key == names::kManagedBy && text == names::kManager) {
        add("label " + key + "=" + text);
    } else if (is_cudafault_variable(key)) {
        add_variable(key);
    } else if (key == names::kPreload && has_cudafault_library(text)) {
        add_variable(key);
    } else if (key == "name" && places_.size() > 2 && is_config_map_name(text)) {
        add("reference to ConfigMap " + text, hash_of_config_map(text));
    } else if (text.starts_with('{')) {
        search_embedded_json(text);
    }
    search(value);
}

void Search::check_item(const Json& item) {
    const std::string name = text_at(item, "name");
    if (is_cudafault_variable(name)) {
        add_variable(name);
    } else if (name == names::kPreload && has_cudafault_library(text_at(item, "value"))) {
        add_variable(name);
    } else if (name == names::kCompileContainer) {
        add("init container " + name);
    } else {
        check_volume(item, name);
    }
}

void Search::check_volume(const Json& item, const std::string& name) {
    if (!is_cudafault_volume(name)) return;  // the workload may mount its own volume at the same path
    const std::string path = text_at(item, "mountPath");
    add(path.empty() ? "volume " + name : "volume mount " + path);
}

// Searches JSON in an annotation: some operators keep a copy of the whole object there.
void Search::search_embedded_json(const std::string& text) {
    constexpr std::array<std::string_view, 4> kOwnNames = {"cudafault", "CUDAFAULT", "CUDA_", "cuda-fault"};
    const auto is_in_text = [&](std::string_view name) { return text.find(name) != std::string::npos; };
    // cudafault's own annotation is already found by its key.
    if (places_.back().field->starts_with(names::kKeyPrefix) ||
        std::none_of(kOwnNames.begin(), kOwnNames.end(), is_in_text))
        return;
    const Json inner = Json::parse(text, nullptr, false);
    if (!inner.is_discarded()) search(inner);
}

void Search::check_managers(const Json& entries) {
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
    return Search(resource).traces_in(object);
}

std::set<std::string> hashes_of(const std::vector<Trace>& traces) {
    std::set<std::string> hashes;
    for (const Trace& trace : traces) {
        if (!trace.hash.empty()) hashes.insert(trace.hash);
    }
    return hashes;
}

}  // namespace cudafault::kube
