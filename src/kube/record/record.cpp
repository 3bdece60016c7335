// SPDX-License-Identifier: Apache-2.0
#include "kube/record/record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "kube/api/common/error.hpp"
#include "kube/api/resources.hpp"
#include "kube/names.hpp"
#include "kube/record/own_objects.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kRecordKey = "record.json";
constexpr int kSchema = 1;  // of the record; another one is refused rather than half understood

constexpr std::array<std::pair<Delivery, const char*>, 3> kDeliveries = {
    {{Delivery::kBinary, "binary"}, {Delivery::kSource, "source"}, {Delivery::kImage, "image"}}};

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
    int edition = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), edition);
    if (error != std::errc() || end != text.data() + text.size()) throw Error("it has an edition without a number");
    return edition;
}

std::map<int, std::vector<Edit>> editions_from(const Json& json) {
    std::map<int, std::vector<Edit>> editions;
    for (const auto& [edition, list] : json.items()) {
        editions[edition_from(edition)] = edits_from(list);
    }
    return editions;
}

Record record_from(const Json& json) {
    if (json.at("schema") != kSchema) throw Error("it was written by another version of cudafault");
    const Json& workload = json.at("workload");
    Record record;
    json.at("run").get_to(record.run_id);
    json.at("by").get_to(record.by);
    json.at("created_at").get_to(record.created_at);
    workload.at("apiVersion").get_to(record.api_version);
    workload.at("kind").get_to(record.kind);
    workload.at("namespace").get_to(record.in_namespace);
    workload.at("name").get_to(record.name);
    workload.at("uid").get_to(record.uid);
    const auto delivery = delivery_of(json.at("delivery").get<std::string>());
    if (!delivery) throw Error("it has a delivery that is not known");
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

constexpr const char* kRest = " rest=";

std::optional<std::vector<Edit>> rest_of(const std::string& text) {
    const size_t at = text.find(kRest);
    if (at == std::string::npos) return {};
    try {
        return edits_from(Json::parse(text.substr(at + std::strlen(kRest))));
    } catch (const std::exception&) {
        return {};
    }
}

// The part behind `key=` in "run=ab12 edition=2 pin=node1".
std::string part_of(const std::string& text, const std::string& key) {
    const std::string start = key + "=";
    for (size_t at = 0; at < text.size(); at = text.find(' ', at) + 1) {
        const size_t end = std::min(text.find(' ', at), text.size());
        if (text.compare(at, start.size(), start) == 0) return text.substr(at + start.size(), end - at - start.size());
        if (end == text.size()) break;
    }
    return "";
}

Target anchor_target(const std::string& in_namespace, const std::string& hash) {
    return {config_maps(), in_namespace, names::kAnchorPrefix + hash};
}

Anchor anchor_from(const Json& config_map) {
    const std::string text = text_at(config_map, {"data", kRecordKey});
    try {
        return {config_map, Record::from_json(Json::parse(text))};
    } catch (const std::exception& error) {
        throw Error(
            fmt::format("the record in ConfigMap {} is damaged ({}): delete that ConfigMap, and `restore` works "
                        "without it, by names",
                        text_at(config_map, {"metadata", "name"}), error.what()));
    }
}

}  // namespace

std::string text_of(Delivery delivery) {
    for (const auto& [value, text] : kDeliveries) {
        if (value == delivery) return text;
    }
    return "";
}

std::optional<Delivery> delivery_of(const std::string& text) {
    for (const auto& [value, name] : kDeliveries) {
        if (text == name) return value;
    }
    return {};
}

void RevisionNumbers::add(const RevisionNumbers& others) {
    if (others.first != 0) first = first == 0 ? others.first : std::min(first, others.first);
    last = std::max(last, others.last);
}

std::string InjectedMark::text() const {
    std::string text = fmt::format("run={} edition={}", run_id, edition);
    if (!pin.empty()) text += " pin=" + pin;
    if (rest) text += kRest + edits_json(*rest).dump();  // the last part: what users wrote may hold spaces
    return text;
}

std::optional<InjectedMark> InjectedMark::parse(const std::string& text) {
    const std::string head = text.substr(0, text.find(kRest));
    InjectedMark mark{part_of(head, "run"), 0, part_of(head, "pin"), rest_of(text)};
    const std::string edition = part_of(head, "edition");
    const auto [end, error] = std::from_chars(edition.data(), edition.data() + edition.size(), mark.edition);
    if (mark.run_id.empty() || error != std::errc() || end != edition.data() + edition.size()) return {};
    return mark;
}

std::optional<InjectedMark> InjectedMark::of(const Json& object) {
    return parse(text_at(object, {"metadata", "annotations", names::kInjected}));
}

Json Record::json() const {
    return {{"schema", kSchema},
            {"run", run_id},
            {"by", by},
            {"created_at", created_at},
            {"workload",
             {{"apiVersion", api_version}, {"kind", kind}, {"namespace", in_namespace}, {"name", name}, {"uid", uid}}},
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
        throw Error(fmt::format("it is not whole: {}", error.what()));
    }
}

std::optional<Anchor> find_anchor(Client& client, const std::string& in_namespace, const std::string& hash) {
    const std::optional<Json> config_map = client.find(anchor_target(in_namespace, hash));
    if (!config_map) return {};
    return anchor_from(*config_map);
}

std::optional<Anchor> find_anchor(Client& client, const Workload& workload) {
    std::optional<Anchor> anchor = find_anchor(client, workload.target.in_namespace, workload.hash());
    if (anchor && anchor->record.uid != workload.uid()) anchor.reset();
    return anchor;
}

Anchor create_anchor(Client& client, const Workload& workload, const Record& record) {
    const Json object = own_config_map(workload, names::kAnchorPrefix + workload.hash(), "anchor",
                                       {{"data", {{kRecordKey, record.json().dump()}}}});
    return anchor_from(create_anew(client, object));
}

Anchor replace_record(Client& client, const Anchor& anchor, const Record& record) {
    JsonPatch patch;
    patch.only_if_unchanged(anchor.config_map);
    patch.replace(json_pointer({"data", kRecordKey}), record.json().dump());
    const Target target{config_maps(), text_at(anchor.config_map, {"metadata", "namespace"}),
                        text_at(anchor.config_map, {"metadata", "name"})};
    return anchor_from(client.patch(target, patch));
}

}  // namespace cudafault::kube
