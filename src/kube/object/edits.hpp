// SPDX-License-Identifier: Apache-2.0
// Changes to an object that know how to be taken back: exactly where nobody else changed the same place, and without
// harm to others' edits where somebody did.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/object/path.hpp"

namespace cudafault::kube {

// When an edit is taken back.
enum class Phase {
    kWithTemplate,  // in the patch that gives the pods their own template again
    kAfterRollout,  // when no injected pod is left: strategy, history limit
};

struct Edit {
    Path at;
    std::optional<Json> was;  // nothing: it was not there
    Json now;                 // an empty list or object, made to hold something, is taken back only while it is empty
    Phase phase = Phase::kWithTemplate;

    Json json() const;
    static Edit from_json(const Json& json);  // throws Error
};

// Makes changes in an object and writes down each.
class Editor {
public:
    explicit Editor(Json& object) : object_(object) {}

    // Sets a field or replaces an item; parents that are missing are made. Nothing is written down if it is so already.
    void set(const Path& at, const Json& value);

    // Adds an item to its list, behind the others, or before `next` if that is there.
    void add(const Path& at, const Json& item, const std::optional<Path>& next = {});

    void use_phase(Phase phase) { phase_ = phase; }  // for the edits that follow

    const Json& object() const { return object_; }
    const std::vector<Edit>& edits() const { return edits_; }

private:
    Json& make_parent(const Path& at);

    Json& object_;
    std::vector<Edit> edits_;
    Phase phase_ = Phase::kWithTemplate;
};

struct Undone {
    Json object;
    std::vector<std::string> kept;  // sentences: what others changed meanwhile, left as they have it
};

// Takes back the edits of one phase, the last first. `library` is the path that was put into LD_PRELOAD: where others
// changed that variable meanwhile, only this is taken out.
Undone undo(const Json& object, const std::vector<Edit>& edits, Phase phase, const std::string& library);

// Whether what the edits put there is there; what others or the server added to it does not matter.
bool are_in_place(const Json& object, const std::vector<Edit>& edits);

// The values as the server has them, with its defaults: what `undo` compares with.
void take_server_values(std::vector<Edit>& edits, const Json& from_server);

// An LD_PRELOAD without one of its libraries; its separators are colons and spaces.
std::string without_library(const std::string& preload, const std::string& library);

}  // namespace cudafault::kube
