#pragma once

#include <string>
#include <vector>

#include "core/value.h"

namespace ftrans {

/// A function of the host language, which a HostCall runs: the payload of its node.
class HostFunction : public RefCounted {
 public:
  /// Reads the inputs and fills the outputs, all of them Ready; the outputs are row-major and uninitialised.
  /// Called on whichever thread runs the step, without the interpreter's lock. What it throws fails the
  /// evaluation.
  virtual void call(const std::vector<Ref<Value>>& inputs, const std::vector<Ref<Value>>& outputs) const = 0;

  virtual std::string name() const = 0;
};

}  // namespace ftrans
