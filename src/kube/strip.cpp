// SPDX-License-Identifier: Apache-2.0
#include "kube/strip.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "kube/edits.hpp"
#include "kube/names.hpp"

namespace cudafault::kube {

namespace {

constexpr std::array kVolumes = {names::kPlanVolume, names::kLibraryVolume, names::kSourceVolume,
                                 names::kCompiledVolume};

bool is_our_volume(const std::string& name) {
    return std::find(kVolumes.begin(), kVolumes.end(), name) != kVolumes.end();
}

bool is_our_variable(const std::string& name) {
    return name.starts_with(names::kVariablePrefix) || name == names::kContractEnabled || name == names::kContractXid;
}

// Of these lists of pod templates, wherever they are.
bool is_ours(const std::string& list, const Json& item) {
    const std::string name = text_at(item, {"name"});
    if (list == "env" || list == "envs") return is_our_variable(name);
    if (list == "volumes" || list == "volumeMounts") return is_our_volume(name);
    return list == "initContainers" && name == names::kCompileContainer;
}

bool is_pin(const Json& expression, const std::string& pin) {
    return text_at(expression, {"key"}) == "kubernetes.io/hostname" && expression.value("values", Json()) == Json{pin};
}

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
            for (Json& item : value) walk(item);
        } else if (value.is_object()) {
            strip_fields(value);
        }
    }

    void strip_fields(Json& object) {
        for (auto field = object.begin(); field != object.end();) {
            const std::string name = field.key();
            Json& value = field.value();
            if (name.starts_with("cudafault.dev/")) {
                field = object.erase(field);
                found_ = true;
                continue;
            }
            const bool was_empty = value.empty();
            if (value.is_array()) strip_list(name, value);
            if (name != "managedFields") walk(value);
            // What was left empty was made by us, as far as anybody can know.
            field = !was_empty && value.is_structured() && value.empty() ? object.erase(field) : std::next(field);
        }
    }

    void strip_list(const std::string& name, Json& list) {
        erase_if(list, [&](const Json& item) {
            return item.is_object() && (is_ours(name, item) || (name == "matchExpressions" && is_pin(item, pin_)));
        });
        for (Json& item : list) {
            if (name.starts_with("env") && text_at(item, {"name"}) == names::kPreload) strip_preload(item);
        }
        erase_if(list, [&](const Json& item) {
            return name.starts_with("env") && text_at(item, {"name"}) == names::kPreload && item.contains("value") &&
                   item.at("value") == "" && emptied_preload_;
        });
    }

    void strip_preload(Json& item) {
        const std::string before = text_at(item, {"value"});
        std::string value = before;
        for (const std::string& library : {std::string(names::kLibraryMount) + "/" + names::kLibraryFile,
                                           std::string(names::kLibraryMount) + "/$PLATFORM/" + names::kLibraryFile,
                                           std::string(names::kCompiledLibrary)}) {
            value = without_library(value, library);
        }
        if (value == before) return;
        found_ = true;
        emptied_preload_ = emptied_preload_ || value.empty();
        item["value"] = value;
    }

    template <typename Test>
    void erase_if(Json& list, const Test& test) {
        const auto end = std::remove_if(list.begin(), list.end(), test);
        found_ = found_ || end != list.end();
        list.erase(end, list.end());
    }

    const std::string& pin_;
    bool found_ = false;
    bool emptied_preload_ = false;
};

}  // namespace

bool strip(Json& object, const std::string& pin) { return Stripper(pin).strip(object); }

}  // namespace cudafault::kube
