// SPDX-License-Identifier: Apache-2.0
#include "kube/record/strip.hpp"

#include <algorithm>

#include "kube/names.hpp"
#include "kube/object/edits.hpp"
#include "kube/object/well_known.hpp"
#include "kube/record/own_names.hpp"
#include "os/preload_list.hpp"

namespace cudafault::kube {

namespace {

// `list` is the name of a list in a pod template at any depth.
bool is_cudafault_item(const std::string& list, const Json& item) {
    const std::string name = text_at(item, {"name"});
    if (list == "env" || list == "envs") return is_cudafault_variable(name);
    if (list == "volumes" || list == "volumeMounts") return is_cudafault_volume(name);
    return list == "initContainers" && name == names::kCompileContainer;
}

// True for items that only an injection adds.
bool is_only_from_injection(const std::string& list, const Json& item) {
    const bool is_variable = list == "env" || list == "envs";
    return is_cudafault_item(list, item) && (!is_variable || text_at(item, {"name"}) == names::kInjection);
}

bool has_injected_item(const std::string& field, const Json& value) {
    if (value.is_object()) {
        return std::any_of(value.items().begin(), value.items().end(),
                           [](const auto& inner) { return has_injected_item(inner.key(), inner.value()); });
    }
    return value.is_array() && std::any_of(value.begin(), value.end(), [&](const Json& item) {
               return (item.is_object() && is_only_from_injection(field, item)) || has_injected_item("", item);
           });
}

std::string without_libraries(const std::string& preload) {
    std::string value = preload;
    for (const std::string& path : preloaded(preload)) {
        if (is_cudafault_library(path)) value = without_library(value, path);
    }
    return value;
}

std::string reference_to(const char* variable) { return std::string("$(") + variable + ")"; }

const Json* item_named(const Json& list, const char* name) {
    const auto found =
        std::find_if(list.begin(), list.end(), [&](const Json& item) { return text_at(item, {"name"}) == name; });
    return found == list.end() ? nullptr : &*found;
}

bool is_pin(const Json& expression, const std::string& pin) {
    return text_at(expression, {"key"}) == well_known::kHostname && expression.value("values", Json()) == Json{pin};
}

const Json kNothing = nullptr;

class Stripper {
public:
    explicit Stripper(const std::string& pin) : pin_(pin) {}

    bool strip(Json& object) {
        walk(object);
        return found_;
    }

private:
    void walk(Json& value) {
        if (value.is_array()) {
            for (size_t i = 0; i < value.size();) {
                const bool was_empty = value[i].empty();
                walk(value[i]);
                // An item that became empty, such as a term of an affinity, was added by the injection.
                const bool remains = was_empty || !value[i].is_object() || !value[i].empty();
                if (remains)
                    ++i;
                else
                    value.erase(i);
            }
        } else if (value.is_object()) {
            strip_fields(value);
        }
    }

    void strip_fields(Json& object) {
        for (auto field = object.begin(); field != object.end();) {
            const std::string name = field.key();
            Json& value = field.value();
            if (name.starts_with(names::kKeyPrefix)) {
                field = object.erase(field);
                found_ = true;
                continue;
            }
            const bool was_empty = value.empty();
            if (value.is_array()) strip_list(name, value);
            if (name != "managedFields") walk(value);
            // A field that became empty is assumed to be added by the injection.
            field = !was_empty && value.is_structured() && value.empty() ? object.erase(field) : std::next(field);
        }
    }

    void strip_list(const std::string& name, Json& list) {
        if (name == "env" || name == "envs") strip_preload(list);
        erase_if(list, [&](const Json& item) {
            return item.is_object() &&
                   (is_cudafault_item(name, item) || (name == "matchExpressions" && is_pin(item, pin_)));
        });
    }

    // The entries after cudafault's library are from the original LD_PRELOAD: a literal value, the helper variable with
    // the original source, or the value from envFrom.
    void strip_preload(Json& list) {
        const Json* helper = item_named(list, names::kPreloadBefore);
        const Json source = helper ? helper->value("valueFrom", Json()) : Json();
        for (Json& item : list) {
            if (text_at(item, {"name"}) != names::kPreload) continue;
            const std::string before = text_at(item, {"value"}), value = without_libraries(before);
            if (value == before) continue;
            found_ = true;
            if (value == reference_to(names::kPreloadBefore) && !source.is_null()) {
                item = {{"name", names::kPreload}, {"valueFrom", source}};
            } else if (value.empty() || value == reference_to(names::kPreload)) {
                item = kNothing;
            } else {
                item["value"] = value;
            }
        }
        erase_if(list, [](const Json& item) { return item == kNothing; });
    }

    template <typename Test>
    void erase_if(Json& list, const Test& test) {
        const auto end = std::remove_if(list.begin(), list.end(), test);
        found_ = found_ || end != list.end();
        list.erase(end, list.end());
    }

    const std::string& pin_;
    bool found_ = false;
};

}  // namespace

bool has_injection(const Json& object) { return has_injected_item("", object); }

bool strip(Json& object, const std::string& pin) { return Stripper(pin).strip(object); }

}  // namespace cudafault::kube
