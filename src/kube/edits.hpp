// SPDX-License-Identifier: Apache-2.0
// Changes to an object that know how to be taken back, exactly where nobody else changed the same place, and without
// harm to others' edits where somebody did.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/path.hpp"

namespace cudafault::kube {

struct Edit {
    Path at;
    std::optional<Json> was;  // nothing: it was not there
    Json now;                 // an empty list or object that was made to hold something is taken back only if empty
    bool after_rollout = false;  // taken back only when the pods have been replaced: strategy, history limit

    Json json() const;
    static Edit from_json(const Json& json);  // throws Error
};

// Makes changes in an object and writes down each.
class Editor {
public:
    explicit Editor(Json& object) : object_(object) {}

    // Sets a field or replaces an item; parents that are missing are made. Nothing is written down if it is so already.
    void set(const Path& at, const Json& value);

    // Adds an item behind the others, or in front of the item `before` of the same list.
    void add(const Path& at, const Json& item, const std::string& before = "");

    void after_rollout(bool yes) { after_rollout_ = yes; }  // of the edits that follow

    const Json& object() const { return object_; }
    const std::vector<Edit>& edits() const { return edits_; }

private:
    Json& make(const Path& at, const Json& empty);

    Json& object_;
    std::vector<Edit> edits_;
    bool after_rollout_ = false;
};

struct Undone {
    Json object;
    std::vector<std::string> kept;  // sentences: what others changed meanwhile and was left as they have it
};

// Takes the edits back, the last first. Of a LD_PRELOAD or an affinity that others changed only our part is removed.
Undone undo(const Json& object, const std::vector<Edit>& edits, bool after_rollout);

// After the fact, as the server made them with its defaults.
void read_back(std::vector<Edit>& edits, const Json& object);

}  // namespace cudafault::kube
