// POST /api/v1/environments
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "events/core/instance_type.hpp"
#include "gateway/routes/environment_answer.hpp"
#include "gateway/routes/routes.hpp"

namespace berth::gateway::routes {
namespace {

constexpr std::string_view default_template = "host";
constexpr std::size_t type_bytes_max = 64;

void check_instance_type(body_fields& fields, std::string_view type) {
  if (fields.problem() || find_instance_type(type)) return;
  std::vector<std::string_view> names;
  for (const auto& known : instance_types()) names.push_back(known.name);
  fields.refuse("instance_type", fmt::format("must be one of {}", fmt::join(names, ", ")));
}

void check_template(body_fields& fields, const std::vector<template_info>& known,
                    std::string_view wanted) {
  if (fields.problem()) return;
  const auto found = [&](const template_info& one) { return one.name == wanted; };
  if (!std::any_of(known.begin(), known.end(), found))
    fields.refuse("template", "is not known here; see GET /api/v1/templates");
}

}  // namespace

void create_environment(const api& with, request asked, respond done) {
  auto fields = fields_or_refuse(asked, done);
  if (!fields) return;
  environment::create command;
  command.account = asked.by->account;
  command.name = fields->text("name", need::required, account::name_bytes_max);
  command.instance_type = fields->text("instance_type", need::required, type_bytes_max);
  command.template_name = fields->text("template", need::optional, type_bytes_max);
  if (command.template_name.empty()) command.template_name = default_template;
  command.price_list = current_price_list;
  check_instance_type(*fields, command.instance_type);
  check_template(*fields, with.given.host.templates(), command.template_name);
  if (fields->problem()) return refuse(asked, done, *fields->problem());
  const auto choice = wait_choice_or_refuse(asked, done);
  if (!choice) return;
  auto meta = meta_of(with, asked);
  if (!meta) return refuse(asked, done, meta.error());
  with.given.kernel.create_environment(
      asked.by->account, std::move(command), std::move(*meta),
      [&with, asked, done, choice = *choice](const outcome<created_environment>& made) {
        if (!made) return refuse(asked, done, made.error());
        answering_environment(with, asked, done, 201, made->id, {environment::status::running},
                              choice)(*made);
      });
}

}  // namespace berth::gateway::routes
