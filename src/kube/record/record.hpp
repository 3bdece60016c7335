// SPDX-License-Identifier: Apache-2.0
// Defines the record of an injection, kept in the cluster so that any machine can undo the injection.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kube/api/client/client.hpp"
#include "kube/object/edits.hpp"
#include "kube/record/delivery.hpp"

namespace cudafault::kube {

// The value of the annotation on the workload. It names the record and the edition of its edits that is in force, and
// contains the data that `restore` needs if the record is lost.
struct InjectedMark {
    std::string run_id;
    int edition = 0;  // increases with each change of an injection
    std::string pin;  // value of the node's hostname label, or empty
    // The edits of Phase::kAfterRollout, which cannot be recognized by name. std::nullopt if they cannot be read.
    std::optional<std::vector<Edit>> post_rollout_edits = {};

    std::string text() const;
    std::string edition_text() const;  // such as "ab12.2"; set in the injected containers
    static std::optional<InjectedMark> parse(const std::string& text);
    static std::optional<InjectedMark> of(const Json& object);  // reads the annotation of the workload
};

// The revision numbers of the injected templates in the controller's history.
struct RevisionNumbers {
    int64_t first = 0;  // 0 if the history has no injected template
    int64_t last = 0;

    void add(const RevisionNumbers& other_numbers);
    bool operator==(const RevisionNumbers&) const = default;
};

// The record is written to the anchor ConfigMap before the first change of the workload.
struct Record {
    std::string run_id;
    std::string by;          // the author, for display: see author()
    std::string created_at;  // UTC
    ObjectRef workload;
    Delivery delivery = Delivery::kBinary;
    std::string library;                        // the path in LD_PRELOAD
    std::vector<std::string> containers;        // template/container, or container, for display
    std::vector<std::string> template_paths;    // from the command line, for a kind that is not in the table of kinds
    std::map<int, std::vector<Edit>> editions;  // the edits relative to the original object, by edition
    Json managed_fields;                        // of the workload, before the injection
    // True if `restore` rebuilt the record from the workload's mark, because the record was lost. Such a record has
    // only the mark's edits.
    bool is_rebuilt = false;
    RevisionNumbers revisions;  // of the injected templates; set by `restore --exact`

    // Rebuilds a lost record from the mark of the workload.
    static Record rebuilt(const ObjectRef& workload, const InjectedMark& mark);

    bool has(const InjectedMark& mark) const { return editions.contains(mark.edition); }

    // Returns the edits that the workload has: those of the marked edition. Without a mark, or if that edition is not
    // recorded, returns those of the newest edition, because an interrupted inject or restore may have left some of
    // these edits. Returns nullptr if the record has no edition.
    const std::vector<Edit>* edits_in_force(const std::optional<InjectedMark>& mark) const;

    // Requires at least one edition.
    void add_to_edits_in_force(const std::optional<InjectedMark>& mark, const std::vector<Edit>& added);

    // Removes all other editions. Returns false, and changes nothing, if the record has no other edition or `mark` is
    // not recorded.
    bool keep_only(const InjectedMark& mark);

    Json json() const;
    static Record from_json(const Json& json);  // throws Error
};

// A record and its ConfigMap, cudafault-anchor-<hash of the workload>.
struct Anchor {
    Json config_map;
    Record record;
};

// Returns std::nullopt if no record exists. Throws Error if the record is damaged.
std::optional<Anchor> find_anchor(Client& client, const std::string& in_namespace, const std::string& hash);
// Also returns std::nullopt if the record belongs to a deleted workload with the same name.
std::optional<Anchor> find_anchor(Client& client, const ObjectRef& workload);

Anchor create_anchor(Client& client, const Record& record);

// Throws ApiError with is_conflict() if the anchor was written since `anchor` was read.
Anchor replace_record(Client& client, const Anchor& anchor, const Record& record);

// Deletes the record. Returns true if it existed. Must be the last step of a restore: an interrupted `restore` needs
// the record to continue.
bool remove_anchor(Client& client, const ObjectRef& workload);

// Deletes the plan and the libraries, then the record. Returns true if any existed.
bool remove_injection(Client& client, const ObjectRef& workload);

}  // namespace cudafault::kube
