// SPDX-License-Identifier: Apache-2.0
#include "kube/object/edits.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kube/api/common/error.hpp"
#include "kube/names.hpp"
#include "os/preload_list.hpp"

namespace cudafault::kube {

namespace {

bool is_empty_container(const Json& value) { return value.is_structured() && value.empty(); }

// Returns true if `current` has every value of `expected`. Ignores values added by the server or by other clients.
bool has_values(const Json& current, const Json& expected) {
    if (expected.is_object()) {
        return current.is_object() &&
               std::all_of(expected.items().begin(), expected.items().end(), [&](const auto& field) {
                   return current.contains(field.key()) && has_values(current.at(field.key()), field.value());
               });
    }
    if (!expected.is_array()) return current == expected;
    if (!current.is_array() || current.size() != expected.size()) return false;
    return std::equal(current.begin(), current.end(), expected.begin(), has_values);
}

void erase(Json& object, const Path& at) {
    Json* parent = find(object, at.parent());
    const Json* value = find(object, at);
    if (!parent || !value) return;
    if (parent->is_object()) {
        parent->erase(at.last().field);
    } else {
        parent->erase(parent->begin() + (value - &parent->front()));
    }
}

void restore_old_value(Json& object, const Edit& edit) {
    if (edit.old_value) {
        *find(object, edit.at) = *edit.old_value;
    } else {
        erase(object, edit.at);
    }
}

bool is_preload(const Path& at) { return at.last().is_item && at.last().value == names::kPreload; }

// Removes cudafault's library from an LD_PRELOAD that another client has changed.
void remove_library(Json& item, const std::string& library) {
    const std::string value = text_at(item, {"value"});
    const std::string remaining = without_library(value, library);
    if (remaining != value) item["value"] = remaining;
}

constexpr const char* kRequiredTerms = "requiredDuringSchedulingIgnoredDuringExecution";

bool is_pin(const Path& at) { return at.last().field == kRequiredTerms; }

std::vector<Json> expressions_of(const Json& required) {
    std::vector<Json> all;
    for (const Json& term : items_at(required, {"nodeSelectorTerms"})) {
        const Json& expressions = items_at(term, {"matchExpressions"});
        all.insert(all.end(), expressions.begin(), expressions.end());
    }
    return all;
}

// Removes the expressions added by cudafault from an affinity that another client has changed.
void remove_pin(Json& required, const Edit& edit) {
    const std::vector<Json> previous = edit.old_value ? expressions_of(*edit.old_value) : std::vector<Json>{};
    const std::vector<Json> all = expressions_of(edit.new_value);
    const auto is_added_expression = [&](const Json& expression) {
        return std::count(all.begin(), all.end(), expression) > 0 &&
               std::count(previous.begin(), previous.end(), expression) == 0;
    };
    Json* terms = find(required, {"nodeSelectorTerms"});
    if (!terms || !terms->is_array()) return;
    for (Json& term : *terms) {
        Json* expressions = find(term, {"matchExpressions"});
        if (!expressions || !expressions->is_array()) continue;
        expressions->erase(std::remove_if(expressions->begin(), expressions->end(), is_added_expression),
                           expressions->end());
    }
}

// Removes only cudafault's part from a value that another client has changed.
void remove_edited_part(Json& current, const Edit& edit, const std::string& library) {
    if (is_preload(edit.at)) remove_library(current, library);
    if (is_pin(edit.at)) remove_pin(current, edit);
}

std::string kept_change_text(const Edit& edit) {
    return fmt::format("{} was changed by another client and is not restored", edit.at.text());
}

void undo_edit(Undone& undone, const Edit& edit, const std::string& library) {
    Json* current = find(undone.object, edit.at);
    if (is_empty_container(edit.new_value)) {
        if (current && current->empty()) restore_old_value(undone.object, edit);
        return;
    }
    if (!current) {
        if (edit.old_value)
            undone.kept.push_back(edit.at.text() + " was removed by another client and is not added again");
        return;
    }
    // An item that cudafault created is removed even if another client has changed it since.
    const bool is_own_item = !edit.old_value && edit.at.last().is_item && !is_preload(edit.at);
    // An affinity may contain expressions of other clients. Replacing the whole affinity would delete them.
    const bool is_as_edited = is_pin(edit.at) ? *current == edit.new_value : has_values(*current, edit.new_value);
    if (is_own_item || is_as_edited) return restore_old_value(undone.object, edit);
    if (edit.old_value && *current == *edit.old_value) return;
    remove_edited_part(*current, edit, library);
    undone.kept.push_back(kept_change_text(edit));
}

const char* text_of(Phase phase) { return phase == Phase::kAfterRollout ? "after rollout" : "with template"; }

}  // namespace

Json Edit::json() const {
    Json json = {{"at", at.json()}, {"now", new_value}, {"phase", text_of(phase)}};
    if (old_value) json["was"] = *old_value;
    return json;
}

Edit Edit::from_json(const Json& json) {
    if (!json.is_object() || !json.contains("at") || !json.contains("now")) {
        throw Error("invalid edit in the record: expected the fields \"at\" and \"now\"");
    }
    Edit edit{Path::from_json(json.at("at")), {}, json.at("now")};
    if (edit.at.empty()) throw Error("invalid edit in the record: \"at\" is empty");
    if (json.contains("was")) edit.old_value = json.at("was");
    if (text_at(json, {"phase"}) == text_of(Phase::kAfterRollout)) edit.phase = Phase::kAfterRollout;
    return edit;
}

Json& Editor::create_parent(const Path& at) {
    const Path parent = at.parent();
    Json* current = find(object_, parent);
    if (current && !current->is_null()) return *current;
    const Json empty = at.last().is_item ? Json::array() : Json::object();
    if (parent.last().is_item) throw Error("cannot edit " + at.text() + ": " + parent.text() + " does not exist");
    Json& created = create_parent(parent)[parent.last().field];
    edits_.push_back({parent, current ? std::optional<Json>(*current) : std::nullopt, empty, phase_});
    created = empty;
    return created;
}

void Editor::set(const Path& at, const Json& value) {
    if (Json* current = find(object_, at)) {
        if (*current == value) return;
        edits_.push_back({at, *current, value, phase_});
        *current = value;
        return;
    }
    if (at.last().is_item) return add(at, value);
    Json& parent = create_parent(at);
    edits_.push_back({at, {}, value, phase_});
    parent[at.last().field] = value;
}

void Editor::add(const Path& at, const Json& item, const std::optional<Path>& next) {
    Json& list = create_parent(at);
    const Json* next_item = next ? find(std::as_const(object_), *next) : nullptr;
    edits_.push_back({at, {}, item, phase_});
    list.insert(next_item ? list.begin() + (next_item - &list.front()) : list.end(), item);
}

Undone undo(const Json& object, const std::vector<Edit>& edits, Phase phase, const std::string& library) {
    Undone undone{object, {}};
    for (auto edit = edits.rbegin(); edit != edits.rend(); ++edit) {
        if (edit->phase == phase) undo_edit(undone, *edit, library);
    }
    return undone;
}

bool has_edited_values(const Json& object, const std::vector<Edit>& edits) {
    return std::all_of(edits.begin(), edits.end(), [&](const Edit& edit) {
        const Json* current = find(object, edit.at);
        return current && (is_empty_container(edit.new_value) || has_values(*current, edit.new_value));
    });
}

void update_from_server(std::vector<Edit>& edits, const Json& from_server) {
    for (Edit& edit : edits) {
        const Json* current = find(from_server, edit.at);
        if (current && !is_empty_container(edit.new_value)) edit.new_value = *current;
    }
}

std::string without_library(const std::string& preload, const std::string& library) {
    const auto is_separator = [](char c) { return kPreloadSeparators.find(c) != std::string_view::npos; };
    for (size_t at = preload.find(library); at != std::string::npos; at = preload.find(library, at + 1)) {
        const size_t end = at + library.size();
        if ((at > 0 && !is_separator(preload[at - 1])) || (end < preload.size() && !is_separator(preload[end]))) {
            continue;
        }
        // Also removes one separator: the following one, which cudafault added, or else the preceding one.
        if (end < preload.size()) return preload.substr(0, at) + preload.substr(end + 1);
        return preload.substr(0, at > 0 ? at - 1 : 0);
    }
    return preload;
}

}  // namespace cudafault::kube
