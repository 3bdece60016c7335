// SPDX-License-Identifier: Apache-2.0
#include "local/history.hpp"

#include <utility>

#include "local/evidence.hpp"

namespace cudafault::local {

namespace {

using nlohmann::json;

void add(json& sum, uint64_t value) { sum = sum.get<uint64_t>() + value; }

void add_dropped_plan(json& sums, const json& plan) {
    add(sums.at("plans"), 1);
    for (const json& fault : plan.at("faults")) {
        for (const char* key : {"matched", "fired"}) add(sums.at(key), fault.at(key).get<uint64_t>());
    }
}

}  // namespace

void start_history(json& record) {
    record["history"] = json::array();
    record["history_dropped"] = {{"plans", 0}, {"matched", 0}, {"fired", 0}};
}

void require_history(const json& record) {
    static_cast<void>(record.at("history").get_ref<const json::array_t&>());
    for (const char* key : {"plans", "matched", "fired"}) {
        static_cast<void>(record.at("history_dropped").at(key).get<uint64_t>());
    }
}

void update_history(const ControlBlock& block, json& record) {
    json& history = record.at("history");
    if (!history.empty()) read_replaced(block, history.back());
}

void add_to_history(json& record, json plan) {
    json& history = record.at("history");
    history.push_back(std::move(plan));
    if (history.size() <= kLongestHistory) return;
    add_dropped_plan(record.at("history_dropped"), history.front());
    history.erase(history.begin());
}

}  // namespace cudafault::local
