// SPDX-License-Identifier: Apache-2.0
#include "kube/object/path.hpp"

#include "kube/api/common/error.hpp"

namespace cudafault::kube {

namespace {

bool has_key(const Json& item, const Step& step) {
    const auto key = item.is_object() ? item.find(step.field) : item.end();
    return item.is_object() && key != item.end() && *key == step.value;
}

const Json* find_step(const Json& from, const Step& step) {
    if (!step.is_item) {
        const auto field = from.is_object() ? from.find(step.field) : from.end();
        return from.is_object() && field != from.end() ? &*field : nullptr;
    }
    if (!from.is_array()) return nullptr;
    for (auto item = from.rbegin(); item != from.rend(); ++item) {
        if (has_key(*item, step)) return &*item;
    }
    return nullptr;
}

Step step_from(const Json& json) {
    if (json.is_string()) return {json.get<std::string>(), "", false};
    if (json.is_object() && json.size() == 1 && json.begin()->is_string()) {
        return {json.begin().key(), json.begin()->get<std::string>(), true};
    }
    throw Error("invalid step in a path of the record: expected a field or an item, found " + json.dump());
}

}  // namespace

Path::Path(std::initializer_list<const char*> fields) {
    for (const char* field : fields) steps_.push_back({field, "", false});
}

Path Path::operator/(const std::string& field) const {
    Path extended = *this;
    extended.steps_.push_back({field, "", false});
    return extended;
}

Path Path::item(const std::string& value, const std::string& key) const {
    Path extended = *this;
    extended.steps_.push_back({key, value, true});
    return extended;
}

Path Path::parent() const {
    Path parent_path = *this;
    if (!steps_.empty()) parent_path.steps_.pop_back();
    return parent_path;
}

std::string Path::text() const {
    std::string text;
    for (const Step& step : steps_) {
        if (step.is_item) {
            text += "[" + step.value + "]";
        } else {
            text += (text.empty() ? "" : ".") + step.field;
        }
    }
    return text;
}

Json Path::json() const {
    Json steps = Json::array();
    for (const Step& step : steps_) {
        steps.push_back(step.is_item ? Json{{step.field, step.value}} : Json(step.field));
    }
    return steps;
}

Path Path::from_json(const Json& json) {
    if (!json.is_array()) throw Error("invalid path in the record: expected a list, found " + json.dump());
    Path path;
    for (const Json& step : json) path.steps_.push_back(step_from(step));
    return path;
}

const Json* find(const Json& object, const Path& path) {
    const Json* value = &object;
    for (const Step& step : path.steps()) {
        value = find_step(*value, step);
        if (!value) return nullptr;
    }
    return value;
}

Json* find(Json& object, const Path& path) { return const_cast<Json*>(find(std::as_const(object), path)); }

std::string text_at(const Json& object, const Path& path, const std::string& fallback) {
    const Json* value = find(object, path);
    return value && value->is_string() ? value->get<std::string>() : fallback;
}

const Json& items_at(const Json& object, const Path& path) {
    static const Json kEmpty = Json::array();
    const Json* found = find(object, path);
    return found && found->is_array() ? *found : kEmpty;
}

const Json& items_at(const Json& object, const char* field) { return items_at(object, Path{field}); }

int64_t number_at(const Json& object, const Path& path, int64_t fallback) {
    const Json* value = find(object, path);
    return value && value->is_number_integer() ? value->get<int64_t>() : fallback;
}

}  // namespace cudafault::kube
