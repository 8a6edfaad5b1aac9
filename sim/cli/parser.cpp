#include "sim/cli/parser.h"

#include <CLI/CLI.hpp>
#include <optional>
#include <vector>

namespace reloadlab::sim {

Option Option::type_name(const std::string& name) const { return Option(option_->type_name(name)); }
Option Option::range(int64_t least, int64_t most) const { return Option(option_->check(CLI::Range(least, most))); }
Option Option::delimiter(char between) const { return Option(option_->delimiter(between)); }
Option Option::allow_extra_args(bool allowed) const { return Option(option_->allow_extra_args(allowed)); }
Option Option::capture_default_str() const { return Option(option_->capture_default_str()); }
Option Option::default_str(const std::string& text) const { return Option(option_->default_str(text)); }
Option Option::required() const { return Option(option_->required()); }
Option Option::needs(Option other) const { return Option(option_->needs(other.option_)); }
Option Option::excludes(Option other) const { return Option(option_->excludes(other.option_)); }
Option Option::group(const std::string& name) const { return Option(option_->group(name)); }

Parser Parser::add_subcommand(const std::string& name, const std::string& about) const {
  return Parser(*app_->add_subcommand(name, about));
}
Parser Parser::add_option_group(const std::string& name) const { return Parser(*app_->add_option_group(name, "")); }

template <typename T>
Option Parser::add_option(const std::string& name, T& into, const std::string& about) const {
  return Option(app_->add_option(name, into, about));
}

template <typename T>
Option Parser::add_flag(const std::string& name, T& into, const std::string& about) const {
  return Option(app_->add_flag(name, into, about));
}

Option Parser::option(const std::string& name) const { return Option(app_->get_option(name)); }
Parser Parser::group(const std::string& name) const { return Parser(*app_->group(name)); }
void Parser::footer(const std::string& text) const { app_->footer(text); }
void Parser::require_option(size_t least, size_t most) const { app_->require_option(least, most); }
bool Parser::parsed() const { return app_->parsed(); }

template Option Parser::add_option(const std::string&, std::string&, const std::string&) const;
template Option Parser::add_option(const std::string&, std::optional<std::string>&, const std::string&) const;
template Option Parser::add_option(const std::string&, std::vector<std::string>&, const std::string&) const;
template Option Parser::add_option(const std::string&, int&, const std::string&) const;
template Option Parser::add_option(const std::string&, std::vector<int>&, const std::string&) const;
template Option Parser::add_option(const std::string&, int64_t&, const std::string&) const;
template Option Parser::add_option(const std::string&, uint64_t&, const std::string&) const;
template Option Parser::add_flag(const std::string&, bool&, const std::string&) const;
template Option Parser::add_flag(const std::string&, std::string&, const std::string&) const;

}  // namespace reloadlab::sim
