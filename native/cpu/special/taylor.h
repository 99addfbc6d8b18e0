#pragma once

namespace ftrans::cpu::special {

/// A function of one variable near a point, as its first `size` Taylor coefficients. Nested, a function of
/// two. Derivatives with respect to a parameter come from running an algorithm on these in place of numbers
/// (A. Griewank and A. Walther, Evaluating Derivatives, 2nd ed., chapter 13).
template <int size, class T = double>
struct Taylor {
  T c[size];

  Taylor(double value = 0) : c{} { c[0] = value; }
  static Taylor variable(T at) {
    Taylor x;
    x.c[0] = at;
    if constexpr (size > 1) x.c[1] = 1;
    return x;
  }

  Taylor& operator+=(const Taylor& y) {
    for (int i = 0; i < size; ++i) c[i] += y.c[i];
    return *this;
  }
  Taylor& operator-=(const Taylor& y) {
    for (int i = 0; i < size; ++i) c[i] -= y.c[i];
    return *this;
  }
  Taylor& operator*=(const Taylor& y) { return *this = *this * y; }
  Taylor operator-() const { return Taylor() - *this; }

  friend Taylor operator+(Taylor x, const Taylor& y) { return x += y; }
  friend Taylor operator-(Taylor x, const Taylor& y) { return x -= y; }
  friend Taylor operator*(const Taylor& x, const Taylor& y) {
    Taylor product;
    for (int i = 0; i < size; ++i) {
      for (int j = 0; j <= i; ++j) product.c[i] += x.c[j] * y.c[i - j];
    }
    return product;
  }
  friend Taylor operator*(Taylor x, double factor) {
    for (T& coefficient : x.c) coefficient = coefficient * factor;
    return x;
  }
  friend Taylor operator/(const Taylor& x, const Taylor& y) {
    Taylor quotient;
    for (int i = 0; i < size; ++i) {
      T rest = x.c[i];
      for (int j = 0; j < i; ++j) rest -= quotient.c[j] * y.c[i - j];
      quotient.c[i] = rest / y.c[0];
    }
    return quotient;
  }
};

/// The value, and the highest total degree that the coefficients reach.
inline double value_of(double x) { return x; }
inline int degree_of(double) { return 0; }
template <int size, class T>
double value_of(const Taylor<size, T>& x) {
  return value_of(x.c[0]);
}
template <int size, class T>
int degree_of(const Taylor<size, T>& x) {
  return size - 1 + degree_of(x.c[0]);
}

/// The last coefficient: of the highest power in every variable.
inline double last_of(double x) { return x; }
template <int size, class T>
double last_of(const Taylor<size, T>& x) {
  return last_of(x.c[size - 1]);
}

/// f(x) from f's Taylor coefficients at the value of x: coefficient(k) = f⁽ᵏ⁾ / k!.
template <class Series, class Coefficient>
Series compose(Coefficient&& coefficient, const Series& x) {
  const Series step = x - Series(value_of(x));
  Series sum = coefficient(degree_of(x));
  for (int k = degree_of(x) - 1; k >= 0; --k) sum = sum * step + Series(coefficient(k));
  return sum;
}

/// e^x for an x whose value is 0.
template <class Series>
Series exp_of_step(const Series& x) {
  const auto coefficient = [](int k) {
    double inverse_factorial = 1;
    for (int i = 2; i <= k; ++i) inverse_factorial /= i;
    return inverse_factorial;
  };
  return compose(coefficient, x);
}

}  // namespace ftrans::cpu::special
