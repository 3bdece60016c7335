// SPDX-License-Identifier: Apache-2.0
// What an injection did to a workload, kept in the cluster beside it, so that any machine can take it back.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kube/api/client/client.hpp"
#include "kube/object/edits.hpp"
#include "kube/record/delivery.hpp"

namespace cudafault::kube {

// The value of the annotation on the workload: which record, and which of its sets of edits, is in force. Short, and
// with what `restore` needs if the record is lost.
struct InjectedMark {
    std::string run_id;
    int edition = 0;  // counts the changes of one injection
    std::string pin;  // the node's hostname label, or empty
    // The edits of Phase::kAfterRollout, which have no name of ours. Nothing where that cannot be read.
    std::optional<std::vector<Edit>> post_rollout_edits = {};

    std::string text() const;
    std::string edition_text() const;  // "ab12.2", in the injected containers
    static std::optional<InjectedMark> parse(const std::string& text);
    static std::optional<InjectedMark> of(const Json& object);  // the workload's
};

// The numbers that a controller gave to the injected templates in its history.
struct RevisionNumbers {
    int64_t first = 0;  // 0: there was none
    int64_t last = 0;

    void add(const RevisionNumbers& others);
    bool operator==(const RevisionNumbers&) const = default;
};

// Written to the anchor ConfigMap before the first change of the workload.
struct Record {
    std::string run_id;
    std::string by;          // user@host, for people
    std::string created_at;  // UTC
    ObjectRef workload;
    Delivery delivery = Delivery::kBinary;
    std::string library;                        // the path in LD_PRELOAD
    std::vector<std::string> containers;        // template/container, or container, for people
    std::vector<std::string> template_paths;    // as the user gave them, for a kind not in the table
    std::map<int, std::vector<Edit>> editions;  // the edits against the user's own state, by edition
    Json managed_fields;                        // of the workload, before
    // Made by `restore` from the workload's mark, where the first record was lost: its edits are only the mark's.
    bool is_rebuilt = false;
    RevisionNumbers revisions;  // of the injected templates, once `restore --exact` is at work

    // Of a workload whose record was lost: what the mark remembers.
    static Record rebuilt(const ObjectRef& workload, const InjectedMark& mark);

    bool has(const InjectedMark& mark) const { return editions.contains(mark.edition); }

    // The edits that the workload has: those of the marked edition. Without a mark, or if that edition is not recorded,
    // those of the last edition begun: an inject or a restore that was cut short may have left a part of them. nullptr
    // without any edition.
    const std::vector<Edit>* edits_in_force(const std::optional<InjectedMark>& mark) const;

    // Requires an edition.
    void add_to_edits_in_force(const std::optional<InjectedMark>& mark, const std::vector<Edit>& added);

    // Forgets all other editions. False, and changes nothing, if there is no other or `mark` is not recorded.
    bool keep_only(const InjectedMark& mark);

    Json json() const;
    static Record from_json(const Json& json);  // throws Error
};

// A record where it is kept: the ConfigMap cudafault-anchor-<hash of the workload>.
struct Anchor {
    Json config_map;
    Record record;
};

// Nothing if there is none. Throws Error if it is there and is damaged.
std::optional<Anchor> find_anchor(Client& client, const std::string& in_namespace, const std::string& hash);
// Nothing either if it is of one that was deleted and had the same name.
std::optional<Anchor> find_anchor(Client& client, const ObjectRef& workload);

Anchor create_anchor(Client& client, const Record& record);

// Throws ApiError with is_conflict() if the anchor was written since `anchor` was read.
Anchor replace_record(Client& client, const Anchor& anchor, const Record& record);

// Deletes the record. True if it existed. The last step of taking an injection back: until then `restore` can go on.
bool remove_anchor(Client& client, const ObjectRef& workload);

}  // namespace cudafault::kube
