#include "sim/python/taken.h"

#include <c10/util/ScopeExit.h>

#include "sim/python/calls.h"

namespace reloadlab::python {
namespace {

Status on_module(const std::weak_ptr<Mirror>& weak, model::Layer& layer, c10::function_ref<void(const py::object& module)> fn) {
  const std::shared_ptr<Mirror> mirror = weak.lock();
  if (!mirror) return Status(Code::misuse, "the model of " + layer.path() + " is gone");
  const Gil gil;
  return call(*mirror, [&] { fn(mirror->module_of(layer)); });
}

class TakenStep final : public model::QuantMethod {
 public:
  TakenStep(std::shared_ptr<model::QuantMethod> own, std::weak_ptr<Mirror> mirror) : own_(std::move(own)), mirror_(std::move(mirror)) {}
  std::string_view id() const override { return own_->id(); }
  at::Tensor checkpoint_layout(std::string_view slot, const at::Tensor& processed) const override {
    return own_->checkpoint_layout(slot, processed);
  }
  at::Tensor compute_value(const model::Layer& layer, std::string_view slot) const override { return own_->compute_value(layer, slot); }
  std::vector<model::Derived> derived(const model::Layer& layer) const override { return own_->derived(layer); }

 protected:
  Status process(model::Layer& layer) override {
    return on_module(mirror_, layer,
                     [](const py::object& module) { module.attr("quant_method").attr("process_weights_after_loading")(module); });
  }

 private:
  std::shared_ptr<model::QuantMethod> own_;
  std::weak_ptr<Mirror> mirror_;
};

}  // namespace

std::shared_ptr<model::QuantMethod> taken_step(std::shared_ptr<model::QuantMethod> own, const std::weak_ptr<Mirror>& mirror) {
  return std::make_shared<TakenStep>(std::move(own), mirror);
}

std::function<Status(model::Layer&, const std::function<Status()>& forward)> taken_forward(const std::weak_ptr<Mirror>& mirror) {
  return [mirror](model::Layer& layer, const std::function<Status()>& forward) -> Status {
    OwnForward own{.layer = &layer, .run = forward};
    RELOADLAB_TRY(on_module(mirror, layer, [&](const py::object& module) {
      const std::shared_ptr<Mirror> there = mirror.lock();
      OwnForward* const before = std::exchange(there->forward, &own);
      const auto put_back = c10::make_scope_exit([&] { there->forward = before; });
      module.attr("forward")();
    }));
    return own.ran ? Status() : Status(Code::failed, "what stands in the place of " + layer.path() + "'s forward never calls it");
  };
}

}  // namespace reloadlab::python
