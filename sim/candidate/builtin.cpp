#include "sim/candidate/builtin.h"

#include "reference/layerwise/layerwise.h"
#include "reference/online_quant/online_quant.h"
#include "reference/shared_series/series.h"
#include "sim/candidate/candidate.h"

namespace reloadlab::sim {
namespace {

layerwise::LayerwiseOptions options_of(const CandidateContext& context) {
  return {.observer = context.observer,
          .transport_reuses_buffers = context.transport_reuses_buffers,
          .extra_bytes_limit = context.extra_bytes_limit};
}

std::unique_ptr<layerwise::LayerwiseReload> make(const layerwise::LayerwisePolicy& policy, const layerwise::LayerwiseOptions& options) {
  return std::make_unique<layerwise::LayerwiseReload>(policy, options);
}

std::unique_ptr<online_quant::OnlineQuantReload> make(const online_quant::OnlineQuantPolicy& policy,
                                                      const layerwise::LayerwiseOptions& options) {
  return online_quant::make_online_quant(policy, options);
}

template <class Reload>
class BuiltIn final : public Reloader {
 public:
  explicit BuiltIn(std::unique_ptr<Reload> reload) : reload_(std::move(reload)) {}

  Status record(model::Model& model) override { return reload_->record(model); }
  Status before_post_load(model::Model& model) override { return reload_->first_load_done(model); }
  Status prepare(model::Model& model) override { return reload_->prepare(model); }
  Status finish(model::Model& model, const FinishConfig& config) override { return reload_->finish(model, config.dtype); }
  Status abort(model::Model& model) override { return reload_->abort(model); }
  Status sleep(model::Model& model, bool keeps_contents) override { return reload_->sleep(model, keeps_contents); }
  Status wake(model::Model& model) override { return reload_->wake(model); }
  bool unusable() const override { return reload_->unusable(); }

 private:
  std::unique_ptr<Reload> reload_;
};

class BuiltInSeries final : public WeightSeries {
 public:
  explicit BuiltInSeries(std::unique_ptr<shared_series::SharedSeries> series) : series_(std::move(series)) {}

  Status register_layer(const model::LayerPtr& layer, int64_t index) override { return series_->register_layer(layer, {index}); }
  Status finish_loading() override { return series_->finish_loading(); }
  Status reach(int64_t index) override { return series_->reach({index}); }
  Status wait(int64_t index) override { return series_->wait({index}); }
  Status drain() override { return series_->drain(); }
  Status reset() override { return series_->reset(); }
  Status begin_reload(bool in_place) override {
    return series_->begin_reload(in_place ? shared_series::Arrival::in_place : shared_series::Arrival::checkpoint);
  }
  Status reload() override { return series_->reload(); }
  Status sleep(bool keeps_contents) override { return series_->sleep(keeps_contents); }
  Status wake() override { return series_->wake(); }

 private:
  std::unique_ptr<shared_series::SharedSeries> series_;
};

// Registers a system of ours: profiles, and how a spelling becomes a candidate.
template <class Policy>
void register_system(const std::string& system, Result<Policy> (*parse)(std::string_view), std::string (*spell)(const Policy&),
                     std::map<std::string, std::string> (*declare)(const Policy&), const std::vector<std::string_view>& profiles) {
  register_candidate(system, [=](const std::string& spelling) -> Result<CandidateInfo> {
    RELOADLAB_ASSIGN(const Policy policy, parse(spelling));
    CandidateInfo info{.name = system + "@" + spell(policy), .system = system, .declared = declare(policy)};
    info.declared["reports"] = "yes";
    info.make_reloader = [policy](const CandidateContext& context) -> Result<std::unique_ptr<Reloader>> {
      return std::unique_ptr<Reloader>(new BuiltIn(make(policy, options_of(context))));
    };
    return info;
  });
  register_profiles(system, {profiles.begin(), profiles.end()});
}

// An engine with series reloads whatever is in none as it always did: layer by layer, in the profile of the same name.
layerwise::LayerwisePolicy layerwise_beside(const shared_series::SeriesPolicy& policy) {
  return policy.order == shared_series::Order::trusted ? layerwise::LayerwisePolicy::seed() : layerwise::LayerwisePolicy::hardened();
}

void register_shared_series() {
  register_candidate("shared_series", [](const std::string& spelling) -> Result<CandidateInfo> {
    RELOADLAB_ASSIGN(const shared_series::SeriesPolicy policy, shared_series::parse_policy(spelling));
    const layerwise::LayerwisePolicy beside = layerwise_beside(policy);
    CandidateInfo info{.name = "shared_series@" + shared_series::spell_policy(policy), .system = "shared_series"};
    info.declared = layerwise::declared_policies(beside);
    for (const auto& [name, value] : shared_series::declared_policies(policy)) info.declared[name] = value;
    info.declared["reports"] = "yes";
    info.make_reloader = [beside](const CandidateContext& context) -> Result<std::unique_ptr<Reloader>> {
      return std::unique_ptr<Reloader>(new BuiltIn(make(beside, options_of(context))));
    };
    info.make_series = [policy](const CandidateContext&, const model::SeriesContext& context) -> Result<std::unique_ptr<WeightSeries>> {
      return std::unique_ptr<WeightSeries>(new BuiltInSeries(shared_series::make_series(policy, context)));
    };
    return info;
  });
  const std::vector<std::string_view> profiles = shared_series::policy_profiles();
  register_profiles("shared_series", {profiles.begin(), profiles.end()});
}

}  // namespace

std::map<std::string, std::set<std::string>> builtin_policies() {
  std::map<std::string, std::set<std::string>> all;
  for (const auto& one : {layerwise::policy_choices(), online_quant::policy_choices(), shared_series::policy_choices()})
    for (const auto& [policy, values] : one) all[policy].insert(values.begin(), values.end());
  return all;
}

void register_builtin_candidates() {
  register_system("layerwise", &layerwise::parse_policy, &layerwise::spell_policy, &layerwise::declared_policies,
                  layerwise::policy_profiles());
  register_system("online_quant", &online_quant::parse_policy, &online_quant::spell_policy, &online_quant::declared_policies,
                  online_quant::policy_profiles());
  register_shared_series();
}

}  // namespace reloadlab::sim
