// SPDX-License-Identifier: Apache-2.0
// Defines reversible changes to an object. Undoing an edit restores the old value exactly, unless another client has
// changed the same field; undo then keeps the other client's change.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/object/path.hpp"

namespace cudafault::kube {

// The time at which an edit is undone.
enum class Phase {
    kWithTemplate,  // by the patch that restores the pod template
    kAfterRollout,  // after all injected pods are deleted; for example the strategy and the history limit
};

struct Edit {
    Path at;
    std::optional<Json> old_value;  // the old value; nullopt if the field or item did not exist
    Json new_value;  // the new value; an empty list or object is a parent, removed only if it is still empty
    Phase phase = Phase::kWithTemplate;

    Json json() const;
    static Edit from_json(const Json& json);  // throws Error
};

// Changes an object and records each change.
class Editor {
public:
    explicit Editor(Json& object) : object_(object) {}

    // Sets a field or replaces an item, and creates missing parents. Records nothing if the value is unchanged.
    void set(const Path& at, const Json& value);

    // Adds an item to its list: before `next` if that item exists, or else at the end.
    void add(const Path& at, const Json& item, const std::optional<Path>& next = {});

    void use_phase(Phase phase) { phase_ = phase; }  // applies to the edits that follow

    const Json& object() const { return object_; }
    const std::vector<Edit>& edits() const { return edits_; }

private:
    Json& create_parent(const Path& at);

    Json& object_;
    std::vector<Edit> edits_;
    Phase phase_ = Phase::kWithTemplate;
};

struct Undone {
    Json object;
    std::vector<std::string> kept;  // one sentence for each change of another client that was kept
};

// Undoes the edits of one phase, the last edit first. `library` is the path that was added to LD_PRELOAD; only this
// path is removed if another client has changed the variable.
Undone undo(const Json& object, const std::vector<Edit>& edits, Phase phase, const std::string& library);

// True if the object has the values that the edits set. Values added by the server or by other clients are ignored.
bool has_edited_values(const Json& object, const std::vector<Edit>& edits);

// Updates the edits with the values that the server stored, including its defaults. `undo` compares with these values.
void update_from_server(std::vector<Edit>& edits, const Json& from_server);

// Returns LD_PRELOAD without one of its libraries.
std::string without_library(const std::string& preload, const std::string& library);

}  // namespace cudafault::kube
