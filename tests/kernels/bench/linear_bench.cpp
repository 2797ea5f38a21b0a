// Speed of the CPU's linear products, beside oneDNN's with its own packed weights. Run with
// OMP_NUM_THREADS=1 or more; each line gives multiply-adds counted as two operations.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <dnnl.hpp>
#include <functional>
#include <vector>

#include "base/random.hpp"
#include "kernels/cpu/kernels.hpp"

namespace {

using precis::ConstView;
using precis::Pack;
using precis::PackFor;
using precis::Queue;
using precis::Shape;
using precis::View;
namespace cpu = precis::cpu;

std::vector<float> random_numbers(std::int64_t count) {
  precis::RandomStream stream(1, precis::Purpose::testing, 0);
  std::vector<float> numbers(static_cast<std::size_t>(count));
  for (float& number : numbers) {
    number = static_cast<float>(2.0 * stream.uniform() - 1.0);
  }
  return numbers;
}

/// rows, in, out of a product and its operands.
struct Operands {
  explicit Operands(const benchmark::State& state)
      : rows(state.range(0)),
        in(state.range(1)),
        out(state.range(2)),
        x(random_numbers(rows * in)),
        weight(random_numbers(out * in)),
        y(random_numbers(rows * out)) {}

  std::int64_t rows;
  std::int64_t in;
  std::int64_t out;
  std::vector<float> x;
  std::vector<float> weight;
  std::vector<float> y;

  [[nodiscard]] View x_view() { return view_of(x.data(), Shape{rows, in}); }
  [[nodiscard]] View weight_view() { return view_of(weight.data(), Shape{out, in}); }
  [[nodiscard]] View y_view() { return view_of(y.data(), Shape{rows, out}); }
  void count(benchmark::State& state) const {
    state.counters["FLOP/s"] = benchmark::Counter(2.0 * static_cast<double>(rows * in * out),
                                                  benchmark::Counter::kIsIterationInvariantRate);
  }
};

void forward(benchmark::State& state) {
  Operands operands(state);
  Queue queue = cpu::make_queue();
  const Pack pack =
      cpu::pack_weight(queue, operands.weight_view(), PackFor::forward, precis::DType::f32, {});
  while (state.KeepRunning()) {
    cpu::linear_forward(queue, operands.y_view(), operands.x_view(), pack, {}, {}, {});
  }
  operands.count(state);
}

void input_gradient(benchmark::State& state) {
  Operands operands(state);
  Queue queue = cpu::make_queue();
  const Pack pack = cpu::pack_weight(queue, operands.weight_view(), PackFor::input_gradient,
                                     precis::DType::f32, {});
  const precis::GradientTerm term{.dy = operands.y_view(), .weight = &pack};
  while (state.KeepRunning()) {
    cpu::linear_input_gradient(queue, operands.x_view(), {&term, 1});
  }
  operands.count(state);
}

void weight_gradient(benchmark::State& state) {
  Operands operands(state);
  Queue queue = cpu::make_queue();
  std::vector<float> gradient(operands.weight.size());
  while (state.KeepRunning()) {
    cpu::linear_weight_gradient(queue, view_of(gradient.data(), Shape{operands.out, operands.in}),
                                {}, operands.y_view(), operands.x_view());
  }
  operands.count(state);
}

void pack(benchmark::State& state) {
  Operands operands(state);
  Queue queue = cpu::make_queue();
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(
        cpu::pack_weight(queue, operands.weight_view(), PackFor::forward, precis::DType::f32, {}));
  }
}

void forward_onednn(benchmark::State& state) {
  Operands operands(state);
  using Tag = dnnl::memory::format_tag;
  const auto f32 = dnnl::memory::data_type::f32;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const dnnl::memory::desc x({operands.rows, operands.in}, f32, Tag::ab);
  const dnnl::memory::desc weight({operands.in, operands.out}, f32, Tag::ba);
  const dnnl::memory::desc packed({operands.in, operands.out}, f32, Tag::any);
  const dnnl::memory::desc y({operands.rows, operands.out}, f32, Tag::ab);
  const dnnl::matmul::primitive_desc description({x, packed, y}, engine);
  dnnl::memory plain_weight(weight, engine, operands.weight.data());
  dnnl::memory packed_weight(description.weights_desc(), engine);
  dnnl::reorder(plain_weight, packed_weight).execute(stream, plain_weight, packed_weight);
  stream.wait();
  const dnnl::memory x_memory(x, engine, operands.x.data());
  const dnnl::memory y_memory(y, engine, operands.y.data());
  const dnnl::matmul product(description);
  while (state.KeepRunning()) {
    product.execute(
        stream,
        {{DNNL_ARG_SRC, x_memory}, {DNNL_ARG_WEIGHTS, packed_weight}, {DNNL_ARG_DST, y_memory}});
    stream.wait();
  }
  operands.count(state);
}

/// 0 .. extent in equal parts; one part is no bounds.
std::vector<std::int64_t> equal_parts(std::int64_t extent, std::int64_t parts) {
  std::vector<std::int64_t> bounds;
  for (std::int64_t p = 0; parts > 1 && p <= parts; ++p) {
    bounds.push_back(extent * p / parts);
  }
  return bounds;
}

double median(std::vector<double> seconds) {
  std::ranges::nth_element(seconds, seconds.begin() + std::ssize(seconds) / 2);
  return seconds[seconds.size() / 2];
}

/// Processor time of all threads: what others do on the machine counts less.
double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Two ways of a sum in turns: the median of processor time, and of the ratio of a turn.
void in_turns(benchmark::State& state, const std::function<void()>& one,
              const std::function<void()>& several) {
  std::vector<double> seconds_of_one;
  std::vector<double> seconds_of_several;
  std::vector<double> ratios;
  while (state.KeepRunning()) {
    const double begin = processor_seconds();
    one();
    const double middle = processor_seconds();
    several();
    const double end = processor_seconds();
    seconds_of_one.push_back(middle - begin);
    seconds_of_several.push_back(end - middle);
    ratios.push_back((end - middle) / (middle - begin));
  }
  state.counters["one_us"] = 1e6 * median(seconds_of_one);
  state.counters["several_us"] = 1e6 * median(seconds_of_several);
  state.counters["ratio"] = median(ratios);
}

/// rows, in, out, parts: y = x W^T summed over `in` in one part and in several.
void forward_in_parts(benchmark::State& state) {
  Operands operands(state);
  Queue queue = cpu::make_queue();
  const std::vector<std::int64_t> bounds = equal_parts(operands.in, state.range(3));
  const Pack pack =
      cpu::pack_weight(queue, operands.weight_view(), PackFor::forward, precis::DType::f32, {});
  const auto product = [&](precis::SumParts parts) {
    return [&, parts] {
      cpu::linear_forward(queue, operands.y_view(), operands.x_view(), pack, parts, {}, {});
    };
  };
  in_turns(state, product({}), product(bounds));
}

/// rows, in, out, parts, terms: dx of so many layers, as that of query, key and value is formed,
/// summed over `out` in one part and in several.
void input_gradient_in_parts(benchmark::State& state) {
  Operands operands(state);
  Queue queue = cpu::make_queue();
  const std::vector<std::int64_t> bounds = equal_parts(operands.out, state.range(3));
  std::vector<Pack> packs;
  for (std::int64_t term = 0; term < state.range(4); ++term) {
    packs.push_back(cpu::pack_weight(queue, operands.weight_view(), PackFor::input_gradient,
                                     precis::DType::f32, {}));
  }
  const auto gradient = [&](precis::SumParts parts) {
    std::vector<precis::GradientTerm> terms;
    for (const Pack& pack : packs) {
      terms.push_back({.dy = operands.y_view(), .weight = &pack, .parts = parts});
    }
    return [&, terms] { cpu::linear_input_gradient(queue, operands.x_view(), terms); };
  };
  in_turns(state, gradient({}), gradient(bounds));
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"rows", "in", "out"})->UseRealTime();
  for (const std::int64_t rows : {1, 8, 64, 1024}) {
    bench->Args({rows, 128, 128})->Args({rows, 128, 512})->Args({rows, 512, 128});
    bench->Args({rows, 768, 768})->Args({rows, 768, 3072})->Args({rows, 3072, 768});
  }
  bench->Args({1, 768, 50257})->Args({8, 768, 50257});
}

BENCHMARK(forward)->Apply(sizes);
BENCHMARK(forward_onednn)->Apply(sizes);
BENCHMARK(input_gradient)->Apply(sizes);
BENCHMARK(weight_gradient)->Apply(sizes);
BENCHMARK(pack)->Apply(sizes);
// GPT-2 124M: attention output and MLP down; query, key and value, and MLP up; in 8 parts.
BENCHMARK(forward_in_parts)
    ->ArgNames({"rows", "in", "out", "parts"})
    ->UseRealTime()
    ->ArgsProduct({{1, 8, 1024}, {768, 3072}, {768}, {8}});
BENCHMARK(input_gradient_in_parts)
    ->ArgNames({"rows", "in", "out", "parts", "terms"})
    ->UseRealTime()
    ->Args({1024, 768, 768, 8, 3})
    ->Args({1024, 768, 3072, 8, 1});

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  const Queue queue = cpu::make_queue();
  fmt::print("{}; oneDNN {}.{}.{}\n", cpu::describe(), dnnl::version()->major,
             dnnl::version()->minor, dnnl::version()->patch);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
