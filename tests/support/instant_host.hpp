// A host for programs that measure or kill the kernel: nothing runs, everything is done at once.
#pragma once

#include "actors/ports/environment_host.hpp"

namespace berth::testing {

// Does everything at once and keeps nothing, so that many threads may ask it.
class instant_host : public environment_host {
 public:
  void observe(host_observer*) override {}
  host_capabilities capabilities() const override { return {"instant", true, "", "", "", {}}; }
  std::vector<template_info> templates() const override { return {}; }
  void adopt(host_completion<std::vector<adopted_environment>> done) override {
    done(std::vector<adopted_environment>{});
  }
  void create(const environment_spec&, host_completion<bool> done) override { done(true); }
  void start(const environment_spec&, host_completion<incarnation> done) override {
    done(incarnation{"1"});
  }
  void stop(const environment_id&, std::uint64_t, host_completion<bool> done) override {
    done(true);
  }
  void destroy(const environment_id&, std::uint64_t, host_completion<bool> done) override {
    done(true);
  }
  void exec(const environment_id&, const exec_request&,
            host_completion<exec_output> done) override {
    done(exec_output{});
  }
  void open_terminal(const environment_id&, const terminal_spec&,
                     host_completion<terminal_started> done) override {
    done(terminal_started{});
  }
  void follow_terminal(const environment_id&, const terminal_id&, std::uint64_t) override {}
  void terminal_input(const environment_id&, const terminal_id&, const input_stream_id&,
                      std::uint64_t, std::string, host_completion<input_outcome> done) override {
    done(input_outcome{});
  }
  void resize_terminal(const environment_id&, const terminal_id&, std::uint16_t,
                       std::uint16_t) override {}
  void pace_terminal(const environment_id&, const terminal_id&,
                     std::optional<std::uint64_t>) override {}
  void terminal_durable(const environment_id&, const terminal_id&, std::uint64_t) override {}
  void close_terminal(const environment_id&, const terminal_id&) override {}
  void dial(const environment_id&, std::uint16_t, host_completion<int> done) override {
    done(host_error{host_errc::unavailable, "nothing runs here", ""});
  }
};

}  // namespace berth::testing
