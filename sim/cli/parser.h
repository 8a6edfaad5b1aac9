#pragma once
// What subcommands say to the parser. CLI11 stands behind it, in parser.cpp and program.cpp alone: its headers cost each source that
// includes them seven seconds.
#include <cstdint>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace reloadlab::sim {

// One option of a command, which owns it; each call gives it back, so that they can follow each other.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option type_name(const std::string& name) const;  // "N" or "FILE", as the help has it
  Option range(int64_t least, int64_t most) const;  // both belong to it
  Option delimiter(char between) const;             // of the values of a list
  Option allow_extra_args(bool allowed) const;      // false: one value each time it is given
  Option capture_default_str() const;               // the help says what it is without
  Option default_str(const std::string& text) const;
  Option required() const;
  Option needs(Option other) const;
  Option excludes(Option other) const;
  Option group(const std::string& name) const;  // "": not in the help

 private:
  CLI::Option* option_;
};

// The program, one command of it, or a group of a command's options. What is added lives as long as the program's.
class Parser {
 public:
  explicit Parser(CLI::App& app) : app_(&app) {}
  Parser add_subcommand(const std::string& name, const std::string& about) const;
  Parser add_option_group(const std::string& name) const;
  // REQUIRES: `into` lives as long as the parser; it has a type that parser.cpp lists.
  template <typename T>
  Option add_option(const std::string& name, T& into, const std::string& about = "") const;
  template <typename T>
  Option add_flag(const std::string& name, T& into, const std::string& about = "") const;
  Option option(const std::string& name) const;  // one that was added
  Parser group(const std::string& name) const;   // "": not in the help
  void footer(const std::string& text) const;
  void require_option(size_t least, size_t most) const;
  bool parsed() const;

 private:
  CLI::App* app_;
};

}  // namespace reloadlab::sim
