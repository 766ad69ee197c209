import inspect
import re

from pipeline.core import errors


def test_the_tree_in_the_docstring_is_the_tree_in_the_code():
    drawn = set(re.findall(r"\b([A-Z]\w+)\b(?= +exit| {2,})", errors.__doc__))
    real = {name for name, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, Exception)}
    assert drawn == real


def test_exit_codes():
    codes = {
        name: cls.exit_code for name, cls in inspect.getmembers(errors, inspect.isclass) if hasattr(cls, "exit_code")
    }
    assert codes["HornbookError"] == codes["StoreError"] == codes["EmptyCorpus"] == 1
    assert codes["RecipeError"] == codes["MissingExtra"] == codes["MissingKey"] == codes["InputError"] == 2
    assert (codes["BudgetReached"], codes["Interrupted"]) == (3, 130)


def test_the_hint_follows_the_message():
    assert str(errors.StoreError("full", hint="free space")) == "full\n  free space"
    assert str(errors.StoreError("full")) == "full"
