// A pure, synchronous step between source and sink: policy, format. Works on the events of a batch from `first` on; new
// bytes go into the batch's arena. It may mark an event as rejected; it never removes one, since each event has its
// place in the sequence.
#pragma once

#include <cstddef>

#include "relay/model/batch.h"

namespace relay {

class Transform {
 public:
  virtual ~Transform() = default;
  virtual void apply(Batch& batch, std::size_t first) = 0;
};

}  // namespace relay
