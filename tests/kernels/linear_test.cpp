#include <omp.h>

#include "base/error.hpp"
#include "kernels/harness.hpp"
#include "support/expect_error.hpp"

namespace precis {
namespace {

using test::HostTensor;
using test::Random;

struct Size {
  std::int64_t rows;
  std::int64_t in;
  std::int64_t out;
};

// Empty, single and odd sizes; sizes around a register tile, a block of rows (96), a block of
// columns (512) and a block of the inner dimension (1024).
const std::vector<Size> sizes = {
    {0, 5, 3},      {0, 128, 128}, {1, 1, 1},      {1, 7, 1},      {2, 1, 33},    {3, 2, 16},
    {5, 16, 31},    {6, 17, 32},   {7, 48, 101},   {12, 48, 144},  {13, 33, 65},  {25, 128, 130},
    {64, 128, 855}, {97, 768, 1},  {99, 1, 70},    {8, 1024, 40},  {9, 1025, 35}, {100, 2049, 34},
    {31, 70, 1100}, {200, 31, 48}, {1500, 12, 20}, {1025, 40, 513}};

std::string name_of_size(const Size& size) {
  return fmt::format("{} rows, in {}, out {}", size.rows, size.in, size.out);
}

/// Restores the number of OpenMP threads.
class Threads {
 public:
  explicit Threads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() { omp_set_num_threads(before_); }

 private:
  int before_;
};

TEST(Linear, ForwardAgreesWithReference) {
  Random random(1);
  for (const Size& size : sizes) {
    SCOPED_TRACE(name_of_size(size));
    const HostTensor x = random.normal({size.rows, size.in});
    const HostTensor weight = random.normal({size.out, size.in});
    const HostTensor bias = random.normal({size.out});
    const HostTensor residual = random.normal({size.rows, size.out});
    for (const bool with_bias : {false, true}) {
      for (const bool with_residual : {false, true}) {
        test::expect_agreement([&](test::Run& run) {
          const Pack pack =
              run.backend.pack_weight(run.queue, run.in(weight), PackFor::forward, DType::f32, {});
          run.backend.linear_forward(run.queue, run.out("y", test::zeros({size.rows, size.out})),
                                     run.in(x), pack, {}, with_bias ? run.in(bias) : ConstView(),
                                     with_residual ? run.in(residual) : ConstView());
        });
      }
    }
  }
}

TEST(Linear, ResidualMayBeTheResult) {
  Random random(2);
  const Size size{37, 1100, 45};
  const HostTensor x = random.normal({size.rows, size.in});
  const HostTensor weight = random.normal({size.out, size.in});
  const HostTensor stream = random.normal({size.rows, size.out});
  test::expect_agreement([&](test::Run& run) {
    const Pack pack =
        run.backend.pack_weight(run.queue, run.in(weight), PackFor::forward, DType::f32, {});
    const View y = run.out("y", stream);
    run.backend.linear_forward(run.queue, y, run.in(x), pack, {}, ConstView(), y);
  });
}

TEST(Linear, GeluComesWithItsInput) {
  Random random(12);
  for (const Size& size : {Size{0, 5, 3}, {1, 7, 1}, {7, 48, 101}, {33, 40, 128}}) {
    SCOPED_TRACE(name_of_size(size));
    const HostTensor x = random.normal({size.rows, size.in});
    const HostTensor weight = random.normal({size.out, size.in}, 0.3);
    const HostTensor bias = random.normal({size.out});
    const HostTensor y = test::zeros({size.rows, size.out});
    for (const Gelu kind : {Gelu::erf, Gelu::tanh}) {
      for (const bool with_bias : {false, true}) {
        test::expect_agreement([&](test::Run& run) {
          const Pack pack =
              run.backend.pack_weight(run.queue, run.in(weight), PackFor::forward, DType::f32, {});
          run.backend.linear_gelu_forward(run.queue, run.out("activated", y), run.out("y", y),
                                          run.in(x), pack, with_bias ? run.in(bias) : ConstView(),
                                          kind);
          run.backend.linear_gelu_forward(run.queue, run.out("alone", y), {}, run.in(x), pack,
                                          with_bias ? run.in(bias) : ConstView(), kind);
        });
      }
    }
  }
}

TEST(Linear, InputGradientAgreesWithReference) {
  Random random(3);
  for (const Size& size : sizes) {
    SCOPED_TRACE(name_of_size(size));
    const HostTensor dy = random.normal({size.rows, size.out});
    const HostTensor weight = random.normal({size.out, size.in});
    const HostTensor before = random.normal({size.rows, size.in});
    test::expect_agreement([&](test::Run& run) {
      const Pack pack = run.backend.pack_weight(run.queue, run.in(weight), PackFor::input_gradient,
                                                DType::f32, {});
      const GradientTerm term{.dy = run.in(dy), .weight = &pack};
      run.backend.linear_input_gradient(run.queue, run.out("dx", before), {&term, 1});
    });
  }
}

TEST(Linear, WeightGradientAgreesWithReference) {
  Random random(4);
  for (const Size& size : sizes) {
    SCOPED_TRACE(name_of_size(size));
    const HostTensor x = random.normal({size.rows, size.in});
    const HostTensor dy = random.normal({size.rows, size.out});
    const HostTensor dweight = random.normal({size.out, size.in});
    const HostTensor dbias = random.normal({size.out});
    for (const bool with_bias : {false, true}) {
      test::expect_agreement([&](test::Run& run) {
        run.backend.linear_weight_gradient(run.queue, run.out("dweight", dweight),
                                           with_bias ? run.out("dbias", dbias) : View(), run.in(dy),
                                           run.in(x));
      });
    }
  }
}

TEST(Linear, WeightGradientHasTheSameBitsAgain) {
  Random random(5);
  const HostTensor x = random.normal({1300, 130});
  const HostTensor dy = random.normal({1300, 257});
  const auto gradient = [&](int threads) {
    const Threads limit(threads);
    return test::run_on(cpu::backend, [&](test::Run& run) {
      run.backend.linear_weight_gradient(run.queue, run.out("dweight", test::zeros({257, 130})),
                                         run.out("dbias", test::zeros({257})), run.in(dy),
                                         run.in(x));
    });
  };
  const auto first = gradient(2);
  EXPECT_TRUE(first == gradient(2));
  EXPECT_TRUE(first == gradient(1));
}

/// Bits of rows [begin, end) of a product, computed in a batch of their own.
using Product = std::function<HostTensor(std::int64_t begin, std::int64_t end)>;

/// Any part of the batch, computed alone, has the bits it has in the whole batch, whatever the
/// number of threads.
void expect_invariant_rows(std::int64_t rows, const Product& product) {
  ASSERT_TRUE(cpu::backend.rows_are_exact());
  HostTensor whole;
  {
    const Threads limit(1);
    whole = product(0, rows);
  }
  std::int64_t begin = 0;
  for (const int threads : {1, 2}) {
    const Threads limit(threads);
    for (const std::int64_t count : {1,  2,  3,  4,  5,  6,   7,   8,   11,  12,   13,  16,
                                     24, 25, 63, 64, 97, 100, 193, 255, 512, 1023, 1024}) {
      if (count > rows) {
        continue;
      }
      // Another place each time.
      begin = (begin + 389) % (rows - count + 1);
      EXPECT_TRUE(product(begin, begin + count) == whole.rows(begin, begin + count))
          << "rows " << begin << " to " << begin + count << " of " << rows << ", " << threads
          << " threads";
    }
  }
}

TEST(Linear, RowsOfForwardDoNotDependOnTheirBatch) {
  Random random(6);
  const std::vector<Size> model_sizes = {
      {1024, 128, 128}, {1024, 128, 384}, {1024, 128, 512}, {1024, 512, 128}, {1024, 128, 855},
      {1024, 48, 144},  {1024, 48, 101},  {1024, 768, 1},   {1024, 128, 1},   {1024, 768, 768},
      {257, 768, 3072}, {257, 3072, 768}, {33, 2048, 8192}, {26, 768, 50257}};
  Queue queue = cpu::backend.make_queue();
  for (const Size& size : model_sizes) {
    SCOPED_TRACE(name_of_size(size));
    const HostTensor x = random.uniform({size.rows, size.in}, -1.0, 1.0);
    const HostTensor weight = random.uniform({size.out, size.in}, -1.0, 1.0);
    const HostTensor bias = random.uniform({size.out}, -1.0, 1.0);
    const HostTensor residual = random.uniform({size.rows, size.out}, -1.0, 1.0);
    const Pack pack =
        cpu::backend.pack_weight(queue, weight.view(), PackFor::forward, DType::f32, {});
    expect_invariant_rows(size.rows, [&](std::int64_t begin, std::int64_t end) {
      HostTensor y = test::zeros({end - begin, size.out});
      cpu::backend.linear_forward(queue, y.view(), x.view().rows(begin, end), pack, {}, bias.view(),
                                  residual.view().rows(begin, end));
      return y;
    });
  }
}

TEST(Linear, RowsOfInputGradientDoNotDependOnTheirBatch) {
  Random random(7);
  const std::vector<Size> model_sizes = {
      {1024, 128, 128}, {1024, 48, 101}, {1024, 128, 855}, {257, 768, 3072}, {14, 96, 50257}};
  Queue queue = cpu::backend.make_queue();
  for (const Size& size : model_sizes) {
    SCOPED_TRACE(name_of_size(size));
    const HostTensor dy = random.uniform({size.rows, size.out}, -1.0, 1.0);
    const HostTensor weight = random.uniform({size.out, size.in}, -1.0, 1.0);
    const Pack pack =
        cpu::backend.pack_weight(queue, weight.view(), PackFor::input_gradient, DType::f32, {});
    expect_invariant_rows(size.rows, [&](std::int64_t begin, std::int64_t end) {
      HostTensor dx = test::zeros({end - begin, size.in});
      const GradientTerm term{.dy = dy.view().rows(begin, end), .weight = &pack};
      cpu::backend.linear_input_gradient(queue, dx.view(), {&term, 1});
      return dx;
    });
  }
}

/// Row 0 of y = x W^T for a pack of W.
float first_product(Queue& queue, const Pack& pack) {
  HostTensor y = test::zeros({1, 3});
  HostTensor x = test::zeros({1, 4});
  x.view().data<float>()[0] = 1;
  cpu::backend.linear_forward(queue, y.view(), x.view(), pack, {}, {}, {});
  return y.view().data<float>()[0];
}

TEST(Linear, PacksAgainIntoTheSameMemoryUnlessItIsInUse) {
  Queue queue = cpu::backend.make_queue();
  HostTensor weight = test::zeros({3, 4});
  weight.view().data<float>()[0] = 1;
  Pack pack = cpu::backend.pack_weight(queue, weight.view(), PackFor::forward, DType::f32, {});
  const Pack held = pack;
  weight.view().data<float>()[0] = 2;
  pack =
      cpu::backend.pack_weight(queue, weight.view(), PackFor::forward, DType::f32, std::move(pack));
  EXPECT_EQ(first_product(queue, pack), 2);
  EXPECT_EQ(first_product(queue, held), 1);
  weight.view().data<float>()[0] = 3;
  pack =
      cpu::backend.pack_weight(queue, weight.view(), PackFor::forward, DType::f32, std::move(pack));
  EXPECT_EQ(first_product(queue, pack), 3);
  // A former pack of another shape is of no use, and does no harm.
  HostTensor other = test::zeros({5, 4});
  other.view().data<float>()[0] = 4;
  pack =
      cpu::backend.pack_weight(queue, other.view(), PackFor::forward, DType::f32, std::move(pack));
  HostTensor y = test::zeros({1, 5});
  HostTensor x = test::zeros({1, 4});
  x.view().data<float>()[0] = 1;
  cpu::backend.linear_forward(queue, y.view(), x.view(), pack, {}, {}, {});
  EXPECT_EQ(y.view().data<float>()[0], 4);
}

TEST(Linear, RefusesWhatItCannotMultiply) {
  Queue queue = cpu::backend.make_queue();
  const HostTensor weight(DType::f32, {3, 4});
  const HostTensor half(DType::bf16, {3, 4});
  HostTensor y = test::zeros({2, 3});
  const HostTensor x = test::zeros({2, 4});
  HostTensor dx = x;
  const Pack pack =
      cpu::backend.pack_weight(queue, weight.view(), PackFor::forward, DType::f32, {});
  EXPECT_NE(message_of<Error>([&] {
              static_cast<void>(
                  cpu::backend.pack_weight(queue, half.view(), PackFor::forward, DType::f32, {}));
            }).find("argument weight is bf16"),
            std::string::npos);
  const GradientTerm term{.dy = y.view(), .weight = &pack};
  EXPECT_NE(message_of<Error>([&] {
              cpu::backend.linear_input_gradient(queue, dx.view(), {&term, 1});
            }).find("packed for the forward product, not for the input gradient"),
            std::string::npos);
  EXPECT_NE(message_of<Error>([&] {
              cpu::backend.linear_forward(queue, y.view(), y.view(), pack, {}, {}, {});
            }).find("argument x is f32 (2, 3); expected f32 (2, 4)"),
            std::string::npos);
  EXPECT_NE(message_of<Error>([&] {
              cpu::backend.linear_gelu_forward(queue, y.view(), {}, y.view(), pack, {}, Gelu::erf);
            }).find("Kernel linear_gelu_forward: argument x is f32 (2, 3); expected f32 (2, 4)"),
            std::string::npos);
  EXPECT_NE(message_of<Error>([&] {
              cpu::backend.linear_forward(queue, y.view(), x.view(), Pack(), {}, {}, {});
            }).find("not packed"),
            std::string::npos);
}

TEST(Device, SaysWhatItChose) {
  const Queue queue = cpu::backend.make_queue();
  const std::string text = cpu::backend.describe();
  EXPECT_NE(text.find("packed tiles"), std::string::npos) << text;
  const char* isa = std::getenv("PRECIS_ISA");
  if (isa != nullptr && std::string(isa) == "avx2") {
    EXPECT_NE(text.find("AVX2"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace precis
