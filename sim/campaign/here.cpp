#include <chrono>

#include "sim/campaign/runner.h"

namespace reloadlab::sim {
namespace {

class Here : public Runner {
 public:
  Here(const Engine& engine, EngineOptions options) : engine_(engine), options_(std::move(options)) {}

  Status run(std::span<const Job> jobs, const WhyNot& why_not, const OnAnswer& on_answer) override {
    for (size_t index = 0; index < jobs.size(); ++index) {
      const auto begin = std::chrono::steady_clock::now();
      const std::string reason = why_not(jobs[index]);
      Answer answer = reason.empty() ? attempt(jobs[index], engine_, options_) : unjudged(jobs[index], End::skipped, reason);
      answer.result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      if (!on_answer(index, std::move(answer))) break;
    }
    return {};
  }

 private:
  const Engine& engine_;
  const EngineOptions options_;
};

}  // namespace

std::unique_ptr<Runner> run_here(const Engine& engine, EngineOptions options) { return std::make_unique<Here>(engine, std::move(options)); }

}  // namespace reloadlab::sim
