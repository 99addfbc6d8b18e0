#pragma once

#include <Python.h>

#include <exception>

namespace ftrans::bindings {

/// The exception that a host function raised, on its way from the step to whoever waits for the result: there
/// may be several who do, on any thread.
class HostError : public std::exception {
 public:
  /// Takes the pending Python error.
  HostError();
  HostError(const HostError& other) noexcept;
  HostError& operator=(const HostError&) = delete;
  ~HostError() override;

  /// Makes it the pending Python error again.
  void restore() const;

  const char* what() const noexcept override { return "a host function raised an exception"; }

 private:
  PyObject* exception_;  ///< owned
};

}  // namespace ftrans::bindings
