#include "sim/import/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <system_error>

#include "reference/base/nearest.h"
#include "reference/model/architecture/architecture.h"
#include "reference/model/kind.h"
#include "sim/checkpoint/json_tree.h"
#include "sim/checkpoint/placing.h"
#include "sim/import/config.h"
#include "sim/scenario/scenario.h"

namespace reloadlab::sim {
namespace {

constexpr size_t complaints_most = 20;

// Numbers of quantized weights and the scales of blocks have types of their own, whatever the model's is.
bool has_models_dtype(DType dtype, const Target& target) {
  return dtype_size(dtype) > 1 && dtype != DType::i32 && dtype != DType::i64 && !target.parameter.ends_with("_scale_inv");
}

// What most of the tensors are; the model is loaded as it is stored. Experts, which outnumber them, may have another one.
DType usual_dtype(const SafetensorsSource& source, const NameMap& map, DType otherwise) {
  std::map<DType, size_t> counts;
  for (const auto& [name, entry] : source.entries()) {
    const std::optional<Target> target = map.target(name);
    if (entry.tensor->dtype && target && !target->expert && has_models_dtype(*entry.tensor->dtype, *target)) ++counts[*entry.tensor->dtype];
  }
  const auto most = std::ranges::max_element(counts, {}, [](const auto& count) { return count.second; });
  return most == counts.end() ? otherwise : most->first;
}

class Complaints {
 public:
  void add(const Status& status) {
    if (++count_ <= complaints_most) text_ += (text_.empty() ? "" : "\n") + status.message();
  }
  bool full() const { return count_ >= complaints_most; }
  Status status() const {
    if (count_ == 0) return {};
    const std::string more = count_ > complaints_most ? fmt::format("\nand {} more", count_ - complaints_most) : "";
    return Status(Code::data, text_ + more);
  }

 private:
  std::string text_;
  size_t count_ = 0;
};

// Whether attentions take the scales of their keys and values from the file.
bool brings_kv_scales(const SafetensorsSource& source, const NameMap& map) {
  const auto is_scale = [&](const std::string& name) {
    const std::optional<Target> target = map.target(name);
    return target && (target->parameter.ends_with(".attn.k_scale") || target->parameter.ends_with(".attn.v_scale"));
  };
  return std::ranges::any_of(source.names(), is_scale);
}

bool is_scale_of_weights(std::string_view stored) { return stored.ends_with(".weight_scale_inv") || stored.ends_with(".weight_scale"); }

// What missing tensors would be called: as the map says, behind the prefix that the file's own names have.
class Missing {
 public:
  Missing(const Placing& placing, const NameMap& map) : map_(map) {
    std::map<std::string_view, size_t> counts;
    for (const Placing::Place& place : placing.places)
      if (!place.stored.empty()) ++counts[map.prefix(place.stored)];
    const auto most = std::ranges::max_element(counts, {}, [](const auto& count) { return count.second; });
    if (most != counts.end()) prefix_ = most->first;
    for (const Placing::Place& place : placing.places)
      if (place.stored.empty()) names_.push_back(name_of(place.delivery));
  }

  // Heads stand beside the model, not in it.
  std::string name_of(const model::Delivery& delivery) const {
    const std::string name = map_.stored_name(target_of(delivery, map_));
    const bool is_head = std::ranges::find(map_.tied, name) != map_.tied.end();
    return is_head ? name : prefix_ + name;
  }
  std::string hint(const std::string& stored) const { return did_you_mean(stored, names_); }

 private:
  const NameMap& map_;
  std::string prefix_;
  std::vector<std::string> names_;  // one of them is what a misspelt name means
};

std::string hint_for(const std::string& unexpected, const Missing& missing) {
  return is_scale_of_weights(unexpected) ? ", whose weights config.json does not say to come with scales" : missing.hint(unexpected);
}

Status check_places(const Placing& placing, const NameMap& map, const SafetensorsSource& source, const std::string& folder) {
  Complaints complaints;
  const auto at = [&](const std::string& stored) { return source.entries().find(stored)->second; };
  const auto error_at = [&](const std::string& stored, const std::string& what) {
    complaints.add(Origin{at(stored).file->path()}.error(at(stored).tensor->begin, what));
  };
  const Missing missing(placing, map);
  for (const std::string& name : placing.unexpected)
    error_at(name, fmt::format("tensor {} has no place in a model of architecture {}{}", shown(name), map.id,
                               complaints.full() ? "" : hint_for(name, missing)));
  for (const Placing::Second& second : placing.seconds)
    error_at(second.stored, fmt::format("tensor {} goes where {} goes, expected one of them", shown(second.stored), shown(second.first)));
  for (const Placing::Place& place : placing.places) {
    if (place.stored.empty()) {
      complaints.add(Origin{folder}.error(
          0, fmt::format("no tensor {}, expected {}", shown(missing.name_of(place.delivery)), described(place.delivery))));
    } else if (Status fits = check_fit(at(place.stored), place.delivery); !fits.ok()) {
      complaints.add(fits);
    }
  }
  for (const Placing::Tied& tied : placing.tied)
    if (Status fits = check_fit(at(tied.stored), placing.places[tied.place].delivery); !fits.ok()) complaints.add(fits);
  return complaints.status();
}

// Sizes come from a file, so what kinds rely on is checked before their arithmetic is used.
Status check_layers(const model::ModelSpec& spec, int ranks) {
  for (const model::LayerSpec& layer : spec.layers) RELOADLAB_TRY(model::find_layer_kind(layer.kind)->check(layer, {.size = ranks}));
  return model::check_model(spec, ranks);
}

// "Qwen3-30B A3B" is scenario "qwen3-30b-a3b".
std::string slug(std::string_view name) {
  std::string word;
  for (const char letter : name) {
    const auto c = static_cast<unsigned char>(letter);
    word += std::isalnum(c) || c == '.' || c == '_' ? static_cast<char>(std::tolower(c)) : '-';
  }
  word = word.substr(0, 100);
  const size_t first = word.find_first_not_of("-._");
  return first == word.npos ? "imported" : word.substr(first);
}

LoadPlan plan(const char* checkpoint) { return {.checkpoint = checkpoint}; }

Case case_of(const std::filesystem::path& folder, const ConfigModel& config, size_t tensors) {
  Case one{.scenario = slug(folder.filename().string()), .system = "layerwise", .tags = {"imported"}, .model = config.spec};
  one.about = fmt::format("Imported from a model folder: {}model_type {}, {} tensors. B is A with every element changed.",
                          config.is_part ? "the language model, " : "", config.type, tensors);
  one.checkpoints = {{"A", {.source = CheckpointSpec::Source::safetensors, .path = folder.string(), .map = config.spec.architecture}},
                     {"B", {.source = CheckpointSpec::Source::perturbed, .seed = 1, .base = "A"}}};
  one.steps = {{.kind = StepKind::load, .plan = plan("A")},
               {.kind = StepKind::reload, .plan = plan("B")},
               {.kind = StepKind::reload, .plan = plan("A")}};
  // Faults, provenance and leaks are judged on small models; on a real one they cost many reads of all its bytes.
  one.laws = {"cold_load_equal", "return_exact", "address_stable", "no_residue", "memory_bound", "event_order", "coverage_reported"};
  return one;
}

}  // namespace

Result<std::string> import_model(const std::filesystem::path& given) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::weakly_canonical(given, error);
  if (error || !std::filesystem::is_directory(folder, error))
    return Status(Code::usage, fmt::format("{}: no such folder, expected one with config.json and safetensors files", given.string()));
  RELOADLAB_ASSIGN(ConfigModel config, read_config(folder / "config.json"));
  RELOADLAB_ASSIGN(const SafetensorsSource source, SafetensorsSource::open(folder));
  RELOADLAB_ASSIGN(const NameMap map, find_name_map(config.spec.architecture));
  config.spec.dtype = usual_dtype(source, map, config.spec.dtype);
  if (brings_kv_scales(source, map)) config.spec.values.insert_or_assign("kv_scales", true);
  model::ModelSpec expanded = config.spec;
  RELOADLAB_TRY(model::expand_architecture(expanded).within((folder / "config.json").string()));
  RELOADLAB_TRY(check_layers(expanded, 1).within((folder / "config.json").string()));
  RELOADLAB_ASSIGN(const Placing placing, place_names(expanded, map, source.names()));
  RELOADLAB_TRY(check_places(placing, map, source, folder.string()));
  std::vector<int> ranks{1};
  if (check_layers(expanded, 2).ok()) ranks.push_back(2);
  return emit_over_ranks(case_of(folder, config, source.entries().size()), ranks);
}

}  // namespace reloadlab::sim
