// A plug-in whose loads go straight into the live tensors, and which goes wrong as its profile says: in its second finish, which is
// the second update's.
#include <ATen/ops/empty.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include "sim/candidate/reloadlab_candidate.h"

namespace reloadlab::tests {
namespace {

class Wayward : public sim::Reloader {
 public:
  explicit Wayward(std::string way) : way_(std::move(way)) {}
  Status record(model::Model&) override { return {}; }
  Status prepare(model::Model&) override { return {}; }
  Status finish(model::Model& model, const sim::FinishConfig&) override {
    if (way_ == "leaks") kept().push_back(model.layers().front()->tensor("weight")->tensor.clone());
    if (++finished_ < 2) return {};
    if (way_ == "crashes") std::raise(SIGSEGV);
    if (way_ == "exits") std::exit(0);
    if (way_ == "throws") throw std::runtime_error("boom");
    if (way_ == "throws_a_number") throw 7;
    if (way_ == "hangs")
      for (;;) ::pause();
    return {};
  }

 private:
  // For as long as the process lives.
  static std::vector<at::Tensor>& kept() {
    static std::vector<at::Tensor>& tensors = *new std::vector<at::Tensor>;
    return tensors;
  }

  const std::string way_;
  int finished_ = 0;
};

Result<sim::CandidateInfo> make(const std::string& way) {
  if (way == "makes_none") return Status(Code::failed, "not today");
  if (way == "crashes_early") std::raise(SIGSEGV);
  if (way == "exits_early") std::_Exit(0);
  if (way == "hangs_early")
    for (;;) ::pause();
  if (way == "throws_early") throw std::runtime_error("boom");
  sim::CandidateInfo info;
  if (way == "empty") return info;
  info.make_reloader = [way](const sim::CandidateContext&) -> Result<std::unique_ptr<sim::Reloader>> {
    if (way == "throws_made") throw std::runtime_error("boom");
    return std::unique_ptr<sim::Reloader>(way == "null" ? nullptr : new Wayward(way));
  };
  return info;
}

}  // namespace
}  // namespace reloadlab::tests

RELOADLAB_CANDIDATE(
    "layerwise",
    "behaves crashes exits throws throws_a_number hangs leaks makes_none throws_early crashes_early exits_early hangs_early empty null "
    "throws_made",
    reloadlab::tests::make)
