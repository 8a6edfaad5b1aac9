#include "sim/candidate/builtin.h"

#include "reference/layerwise/layerwise.h"
#include "sim/candidate/candidate.h"

namespace reloadlab::sim {
namespace {

using layerwise::LayerwisePolicy;
using layerwise::LayerwiseReload;

class LayerwiseCandidate final : public Reloader {
 public:
  LayerwiseCandidate(const LayerwisePolicy& policy, const CandidateContext& context)
      : reload_(policy, {.observer = context.observer,
                         .transport_reuses_buffers = context.transport_reuses_buffers,
                         .extra_bytes_limit = context.extra_bytes_limit}) {}

  Status record(model::Model& model) override { return reload_.record(model); }
  Status before_post_load(model::Model& model) override { return reload_.first_load_done(model); }
  Status prepare(model::Model& model) override { return reload_.prepare(model); }
  Status finish(model::Model& model, const FinishConfig& config) override { return reload_.finish(model, config.dtype); }
  Status abort(model::Model& model) override { return reload_.abort(model); }
  bool unusable() const override { return reload_.unusable(); }

 private:
  LayerwiseReload reload_;
};

Result<CandidateInfo> layerwise_candidate(const std::string& spelling) {
  RELOADLAB_ASSIGN(const LayerwisePolicy policy, layerwise::parse_policy(spelling));
  CandidateInfo info{.name = "layerwise@" + layerwise::spell_policy(policy), .system = "layerwise"};
  info.declared = layerwise::declared_policies(policy);
  info.declared["reports"] = "yes";
  info.make_reloader = [policy](const CandidateContext& context) -> Result<std::unique_ptr<Reloader>> {
    return std::unique_ptr<Reloader>(std::make_unique<LayerwiseCandidate>(policy, context));
  };
  return info;
}

std::vector<std::string> layerwise_profiles() {
  std::vector<std::string> names;
  for (std::string_view profile : layerwise::policy_profiles()) names.emplace_back(profile);
  return names;
}

}  // namespace

void register_builtin_candidates() {
  register_candidate("layerwise", layerwise_candidate);
  register_profiles("layerwise", layerwise_profiles());
}

}  // namespace reloadlab::sim
