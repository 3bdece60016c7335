// SPDX-License-Identifier: Apache-2.0
// Sends requests at a constant rate to the inference server and records the result of each. A request goes to the first
// of the ports that accepts a connection, as with a load balancer. A failed request is not repeated.
//
//   load_generator --rate 50 --ports 8000,8001 --seconds 10
//
// Prints one line per request, tab-separated: time sent (seconds since 1970), milliseconds taken, HTTP status (0 if the
// connection was refused or lost), and a detail: "gpu 0", the server's error, "refused" or "lost".
#include <httplib.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

struct Options {
    double rate = 50;
    double seconds = 10;
    std::vector<int> ports = {8000};
};

struct Result {
    int status = 0;
    std::string detail = "refused";
};

volatile std::sig_atomic_t stop_requested = 0;

std::string detail_of(const httplib::Response& response) {
    const json body = json::parse(response.body, nullptr, false);
    if (!body.is_object()) return "not JSON";
    if (body.contains("error")) return body["error"].get<std::string>();
    return "gpu " + std::to_string(body.value("gpu", -1));
}

Result send_request(const std::vector<int>& ports) {
    for (const int port : ports) {
        httplib::Client client("127.0.0.1", port);
        client.set_read_timeout(5, 0);
        const auto response = client.Post("/generate", R"({"input": [1, 2, 3, 4]})", "application/json");
        if (response) return {response->status, detail_of(*response)};
        if (response.error() != httplib::Error::Connection) return {0, "lost"};
    }
    return {};
}

void record(double sent, double milliseconds, const Result& result) {
    static std::mutex output;
    const std::lock_guard lock(output);
    std::printf("%.6f\t%.3f\t%d\t%s\n", sent, milliseconds, result.status, result.detail.c_str());
    std::fflush(stdout);
}

double seconds_since_1970() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Runs one of `step` workers, which sends the requests `first`, `first` + `step`, and so on. Each request starts at its
// scheduled time, so that slow responses do not reduce the rate.
void work(const Options& options, Clock::time_point start, int first, int step) {
    const auto count = static_cast<int64_t>(options.rate * options.seconds);
    for (int64_t i = first; i < count && !stop_requested; i += step) {
        std::this_thread::sleep_until(start + std::chrono::duration<double>(static_cast<double>(i) / options.rate));
        const double sent = seconds_since_1970();
        const auto begin = Clock::now();
        const Result result = send_request(options.ports);
        record(sent, std::chrono::duration<double, std::milli>(Clock::now() - begin).count(), result);
    }
}

Options parse(int argc, char** argv) {
    Options options;
    CLI::App app("Send requests to inference_server at a constant rate and print one line for each result.");
    app.add_option("--rate", options.rate, "Requests per second")->capture_default_str()->check(CLI::PositiveNumber);
    app.add_option("--seconds", options.seconds, "Duration in seconds; SIGTERM ends it earlier")->capture_default_str();
    app.add_option("--ports", options.ports, "Ports on 127.0.0.1, tried in this order")
        ->capture_default_str()
        ->delimiter(',');
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error) == 0 ? 0 : 2);
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) try {
    constexpr int kWorkers = 8;
    const Options options = parse(argc, argv);
    std::signal(SIGTERM, [](int) { stop_requested = 1; });
    const auto start = Clock::now();
    std::vector<std::thread> workers;
    workers.reserve(kWorkers);
    for (int i = 0; i < kWorkers; ++i) workers.emplace_back(work, std::cref(options), start, i, kWorkers);
    for (std::thread& worker : workers) worker.join();
} catch (const std::exception& error) {
    std::fprintf(stderr, "load_generator: %s\n", error.what());
    return 1;
}
