// rtneural.cpp: a recurrent layer of RTNeural in float32, its sizes known when it is compiled, which
// RTNeural says is its fastest form.  CELL is LSTMLayerT or GRULayerT.
#include <random>
#include <vector>

#include <RTNeural/RTNeural.h>

namespace {

using Weights = std::vector<std::vector<float>>;
using Layer = RTNeural::CELL<float, FEATURES, UNITS>;

Weights weights(int rows, int columns) {
  std::mt19937 random(0);
  std::uniform_real_distribution<float> some(-0.1f, 0.1f);
  Weights made(rows, std::vector<float>(columns));
  for (auto &row : made) {
    for (auto &weight : row) weight = some(random);
  }
  return made;
}

struct Call {
  Layer layer;
  Eigen::Matrix<float, FEATURES, 1> x;
};

}  // namespace

extern "C" Call *rtneural_new() {
  auto *made = new Call;
  made->layer.setWVals(weights(FEATURES, GATES * UNITS));
  made->layer.setUVals(weights(UNITS, GATES * UNITS));
#if GATES == 3  // a GRU has a bias for each of its products
  made->layer.setBVals(weights(2, GATES * UNITS));
#else
  made->layer.setBVals(weights(1, GATES * UNITS)[0]);
#endif
  return made;
}

// A whole sequence x [steps, FEATURES]; the last h goes to out [UNITS].
extern "C" void rtneural_run(Call *call, const float *x, int steps, float *out) {
  call->layer.reset();
  for (int step = 0; step < steps; step++) {
    call->x = Eigen::Map<const Eigen::Matrix<float, FEATURES, 1>>(x + step * FEATURES);
    call->layer.forward(call->x);
  }
  for (int unit = 0; unit < UNITS; unit++) out[unit] = call->layer.outs(unit);
}
