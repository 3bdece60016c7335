// SPDX-License-Identifier: Apache-2.0
#include "kube/record/record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kube/api/client/resource.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/numbers.hpp"
#include "kube/names.hpp"
#include "kube/object/workload_hash.hpp"
#include "kube/record/own_objects.hpp"

namespace cudafault::kube {

namespace {

constexpr int kSchema = 1;  // version of the record format; other versions are refused

Json edits_json(const std::vector<Edit>& edits) {
    Json list = Json::array();
    for (const Edit& edit : edits) list.push_back(edit.json());
    return list;
}

std::vector<Edit> edits_from(const Json& list) {
    std::vector<Edit> edits;
    for (const Json& edit : list) edits.push_back(Edit::from_json(edit));
    return edits;
}

Json editions_json(const std::map<int, std::vector<Edit>>& editions) {
    Json json = Json::object();
    for (const auto& [edition, edits] : editions) json[std::to_string(edition)] = edits_json(edits);
    return json;
}

int edition_from(const std::string& text) {
    const std::optional<int> edition = parse_integer<int>(text);
    if (!edition) throw Error("an edition has an invalid number");
    return *edition;
}

std::map<int, std::vector<Edit>> editions_from(const Json& json) {
    std::map<int, std::vector<Edit>> editions;
    for (const auto& [edition, list] : json.items()) {
        editions[edition_from(edition)] = edits_from(list);
    }
    return editions;
}

Record record_from(const Json& json) {
    if (json.at("schema") != kSchema) throw Error("written by another version of cudafault");
    const Json& workload = json.at("workload");
    Record record;
    json.at("run").get_to(record.run_id);
    json.at("by").get_to(record.by);
    json.at("created_at").get_to(record.created_at);
    record.workload.resource =
        Resource::of_kind(workload.at("apiVersion").get<std::string>(), workload.at("kind").get<std::string>());
    workload.at("namespace").get_to(record.workload.in_namespace);
    workload.at("name").get_to(record.workload.name);
    workload.at("uid").get_to(record.workload.uid);
    const auto delivery = delivery_of(json.at("delivery").get<std::string>());
    if (!delivery) throw Error("unknown delivery");
    record.delivery = *delivery;
    json.at("library").get_to(record.library);
    json.at("containers").get_to(record.containers);
    json.at("template_paths").get_to(record.template_paths);
    record.editions = editions_from(json.at("editions"));
    record.managed_fields = json.at("managed_fields");
    record.is_rebuilt = json.value("rebuilt", false);
    const Json revisions = json.value("revisions", Json::object());
    record.revisions = {number_at(revisions, {"first"}), number_at(revisions, {"last"})};
    return record;
}

constexpr const char* kPostRolloutEdits = " rest=";

std::optional<std::vector<Edit>> post_rollout_edits_of(const std::string& text) {
    const size_t at = text.find(kPostRolloutEdits);
    if (at == std::string::npos) return {};
    try {
        return edits_from(Json::parse(text.substr(at + std::strlen(kPostRolloutEdits))));
    } catch (const std::exception&) {
        return {};
    }
}

// Returns the value of `key=` in a string such as "run=ab12 edition=2 pin=node1".
std::string part_of(const std::string& text, const std::string& key) {
    const std::string start = key + "=";
    for (size_t at = 0; at < text.size(); at = text.find(' ', at) + 1) {
        const size_t end = std::min(text.find(' ', at), text.size());
        if (text.compare(at, start.size(), start) == 0) return text.substr(at + start.size(), end - at - start.size());
        if (end == text.size()) break;
    }
    return "";
}

// Requires at least one edition. See Record::edits_in_force.
int edition_in_force(const std::map<int, std::vector<Edit>>& editions, const std::optional<InjectedMark>& mark) {
    return mark && editions.contains(mark->edition) ? mark->edition : editions.rbegin()->first;
}

ObjectRef anchor_ref(const std::string& in_namespace, const std::string& hash) {
    return {config_maps(), in_namespace, names::kAnchorPrefix + hash};
}

Anchor anchor_from(const Json& config_map) {
    const std::string text = text_at(config_map, {"data", names::kRecordKey});
    try {
        return {config_map, Record::from_json(Json::parse(text))};
    } catch (const std::exception& error) {
        throw Error(
            fmt::format("the record in ConfigMap {} is damaged ({}): delete that ConfigMap; `cudafault k8s restore` "
                        "then removes everything with a name of cudafault",
                        text_at(config_map, {"metadata", "name"}), error.what()));
    }
}

}  // namespace

void RevisionNumbers::add(const RevisionNumbers& other_numbers) {
    if (other_numbers.first != 0) first = first == 0 ? other_numbers.first : std::min(first, other_numbers.first);
    last = std::max(last, other_numbers.last);
}

std::string InjectedMark::text() const {
    std::string text = fmt::format("run={} edition={}", run_id, edition);
    if (!pin.empty()) text += " pin=" + pin;
    if (post_rollout_edits)
        text += kPostRolloutEdits +
                edits_json(*post_rollout_edits).dump();  // the last part, because values may contain spaces
    return text;
}

std::string InjectedMark::edition_text() const { return fmt::format("{}.{}", run_id, edition); }

std::optional<InjectedMark> InjectedMark::parse(const std::string& text) {
    const std::string head = text.substr(0, text.find(kPostRolloutEdits));
    const std::string run_id = part_of(head, "run");
    const std::optional<int> edition = parse_integer<int>(part_of(head, "edition"));
    if (run_id.empty() || !edition) return {};
    return InjectedMark{run_id, *edition, part_of(head, "pin"), post_rollout_edits_of(text)};
}

std::optional<InjectedMark> InjectedMark::of(const Json& object) {
    return parse(text_at(object, {"metadata", "annotations", names::kInjected}));
}

Record Record::rebuilt(const ObjectRef& workload, const InjectedMark& mark) {
    Record record;
    record.run_id = mark.run_id;
    record.workload = workload;
    record.editions[mark.edition] = mark.post_rollout_edits.value_or(std::vector<Edit>{});
    record.managed_fields = Json::array();
    record.is_rebuilt = true;
    return record;
}

const std::vector<Edit>* Record::edits_in_force(const std::optional<InjectedMark>& mark) const {
    return editions.empty() ? nullptr : &editions.at(edition_in_force(editions, mark));
}

void Record::add_to_edits_in_force(const std::optional<InjectedMark>& mark, const std::vector<Edit>& added) {
    std::vector<Edit>& edits = editions.at(edition_in_force(editions, mark));
    edits.insert(edits.end(), added.begin(), added.end());
}

bool Record::keep_only(const InjectedMark& mark) {
    if (editions.size() < 2 || !has(mark)) return false;
    editions = {*editions.find(mark.edition)};
    return true;
}

Json Record::json() const {
    return {{"schema", kSchema},
            {"run", run_id},
            {"by", by},
            {"created_at", created_at},
            {"workload",
             {{"apiVersion", workload.resource.api_version()},
              {"kind", workload.resource.kind},
              {"namespace", workload.in_namespace},
              {"name", workload.name},
              {"uid", workload.uid}}},
            {"delivery", text_of(delivery)},
            {"library", library},
            {"containers", containers},
            {"template_paths", template_paths},
            {"editions", editions_json(editions)},
            {"managed_fields", managed_fields},
            {"rebuilt", is_rebuilt},
            {"revisions", {{"first", revisions.first}, {"last", revisions.last}}}};
}

Record Record::from_json(const Json& json) {
    try {
        return record_from(json);
    } catch (const Json::exception& error) {
        throw Error(fmt::format("incomplete: {}", error.what()));
    }
}

std::optional<Anchor> find_anchor(Client& client, const std::string& in_namespace, const std::string& hash) {
    const std::optional<Json> config_map = client.find(anchor_ref(in_namespace, hash));
    if (!config_map) return {};
    return anchor_from(*config_map);
}

std::optional<Anchor> find_anchor(Client& client, const ObjectRef& workload) {
    std::optional<Anchor> anchor = find_anchor(client, workload.in_namespace, workload_hash(workload));
    if (anchor && anchor->record.workload.uid != workload.uid) anchor.reset();
    return anchor;
}

Anchor create_anchor(Client& client, const Record& record) {
    const Json object = own_config_map(record.workload, names::kAnchorPrefix + workload_hash(record.workload),
                                       names::kAnchorRole, {{"data", {{names::kRecordKey, record.json().dump()}}}});
    return anchor_from(recreate(client, object));
}

Anchor replace_record(Client& client, const Anchor& anchor, const Record& record) {
    JsonPatch patch;
    patch.only_if_unchanged(anchor.config_map);
    patch.replace(json_pointer({"data", names::kRecordKey}), record.json().dump());
    return anchor_from(client.patch(ref_of(config_maps(), anchor.config_map), patch));
}

bool remove_anchor(Client& client, const ObjectRef& workload) {
    const ObjectRef anchor = anchor_ref(workload.in_namespace, workload_hash(workload));
    return remove_config_map(client, anchor.in_namespace, anchor.name);
}

bool remove_injection(Client& client, const ObjectRef& workload) {
    const bool removed = remove_injection_objects(client, workload);
    return remove_anchor(client, workload) || removed;
}

}  // namespace cudafault::kube
