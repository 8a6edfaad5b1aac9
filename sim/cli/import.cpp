// The subcommand that makes a scenario of a model folder.
#include "sim/import/import.h"

#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/report/run_folder.h"

namespace reloadlab::sim {
namespace {

struct ImportTexts {
  std::string folder, out;
};

Result<Exit> import_folder(const ImportTexts& texts) {
  RELOADLAB_ASSIGN(const std::string text, import_model(texts.folder));
  if (texts.out.empty()) {
    fmt::print("{}", text);
    return Exit::held;
  }
  RELOADLAB_TRY(write_file(texts.out, text));
  fmt::print("{}\n", texts.out);
  return Exit::held;
}

}  // namespace

Command add_import(const Parser& app, const Program&) {
  const Parser parser =
      app.add_subcommand("import", "Make a scenario of a model folder: config.json and the headers of its safetensors files");
  auto texts = std::make_shared<ImportTexts>();
  parser.add_option("folder", texts->folder, "The model's folder").type_name("DIR").required();
  parser.add_option("--out", texts->out, "The scenario file to write; without it the scenario is printed").type_name("FILE");
  return {parser, [texts] { return import_folder(*texts); }};
}

}  // namespace reloadlab::sim
