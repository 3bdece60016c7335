// SPDX-License-Identifier: Apache-2.0
// Implements an inference server over the CUDA driver API. Like vLLM's server, it does not continue on a broken GPU. On
// a CUDA error it responds to pending requests with 500, prints the error and exits with 1, so that a supervisor can
// restart it on another GPU.
//
//   inference_server --gpu 0 --port 8000
//   curl -d '{"input": [1, 2, 3]}' http://127.0.0.1:8000/generate   ->  {"gpu":0,"output":[2.0,4.0,6.0]}
//   curl http://127.0.0.1:8000/health                               ->  {"gpu":0,"name":"NVIDIA H100","status":"ok"}
#include <httplib.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "model.hpp"

namespace {

using cudafault::example::CudaError;
using cudafault::example::Model;
using nlohmann::json;

struct Options {
    int gpu = 0;
    std::string address = "127.0.0.1";
    int port = 8000;
};

// Responds to invalid requests with 400. Stops on a CUDA error.
class Service {
public:
    explicit Service(const Options& options) : options_(options), model_(options.gpu) {
        // A connection that stays open would delay the exit.
        server_.set_keep_alive_max_count(1);
        server_.Get("/health", [this](const auto&, auto& response) { report_health(response); });
        server_.Post("/generate", [this](const auto& request, auto& response) { generate(request.body, response); });
    }

    // Returns the error after the GPU has failed.
    std::string serve() {
        if (!server_.bind_to_port(options_.address, options_.port))
            throw std::runtime_error("cannot listen on " + options_.address + ", port " +
                                     std::to_string(options_.port) + ": choose a free port with --port");
        std::fprintf(stderr, "inference_server: serving on GPU %d (%s), port %d\n", options_.gpu,
                     model_.gpu_name().c_str(), options_.port);
        server_.listen_after_bind();
        return failure_;
    }

private:
    static void respond(httplib::Response& response, int status, const json& body) {
        response.status = status;
        response.set_content(body.dump() + "\n", "application/json");
    }

    void report_health(httplib::Response& response) {
        respond(response, 200, {{"status", "ok"}, {"gpu", options_.gpu}, {"name", model_.gpu_name()}});
    }

    void generate(const std::string& body, httplib::Response& response) {
        std::vector<float> input;
        try {
            input = json::parse(body).at("input").get<std::vector<float>>();
        } catch (const json::exception& error) {
            return respond(response, 400, {{"error", error.what()}});
        }
        if (input.empty() || input.size() > Model::kMaxValues)
            return respond(response, 400, {{"error", "invalid input: expected 1 to 1048576 numbers"}});
        try {
            respond(response, 200, {{"gpu", options_.gpu}, {"output", model_.run(std::move(input))}});
        } catch (const CudaError& error) {
            respond(response, 500, {{"gpu", options_.gpu}, {"error", error.name}});
            stop_after(error);
        }
    }

    // Stops listening. Requests that were accepted before still get a response.
    void stop_after(const CudaError& error) {
        std::call_once(stopped_, [&] {
            failure_ = error.what();
            server_.stop();
        });
    }

    Options options_;
    Model model_;
    httplib::Server server_;
    std::once_flag stopped_;
    std::string failure_;
};

Options parse(int argc, char** argv) {
    Options options;
    CLI::App app("Serve inference requests on one GPU, and exit on a CUDA error as vLLM does.");
    app.add_option("--gpu", options.gpu, "CUDA ordinal of the GPU to serve from")->capture_default_str();
    app.add_option("--address", options.address, "Address to listen on; 0.0.0.0 for all")->capture_default_str();
    app.add_option("--port", options.port, "Port to listen on")->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error) == 0 ? 0 : 2);
    }
    return options;
}

void serve(const Options& options) {
    try {
        const std::string failure = Service(options).serve();
        std::fprintf(stderr, "inference_server: GPU %d failed: %s\n", options.gpu, failure.c_str());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "inference_server: cannot serve on GPU %d: %s\n", options.gpu, error.what());
    }
}

}  // namespace

int main(int argc, char** argv) try {
    std::signal(SIGTERM, [](int) { _exit(0); });  // SIGTERM is not a failure
    serve(parse(argc, argv));
    return 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "inference_server: %s\n", error.what());
    return 1;
}
